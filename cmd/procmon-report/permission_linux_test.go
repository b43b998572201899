package main

import (
	"bytes"
	"strings"
	"testing"
)

// The real program, as a user who may read the index and as one who may not.
func TestIntegrationPermissions(t *testing.T) {
	program, index := built(t)
	summary := []string{"--index", index, "--since", "2026-01-01", "--until", "2027-01-01", "--by-executable"}
	rename := []string{"reclassify", "--index", index}
	for _, c := range []struct {
		name   string
		groups []uint32
		args   []string
		code   int
		says   string
	}{
		{"in the group", []uint32{readers}, summary, exitDone, "/bin/a"},
		{"a stranger", nil, summary, exitImpossible, "group may read it"},
		{"in the group, planning", []uint32{readers}, append(rename, "--dry-run"), exitDone, "today's rules say"},
		{"a stranger, planning", nil, append(rename, "--dry-run"), exitImpossible, "group may read it"},
		{"in the group, renaming", []uint32{readers}, rename, exitImpossible, "run as root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := as(t, nobody, c.groups, program, c.args...)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			err := cmd.Run()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(said.String(), c.says) {
				t.Errorf("exit %d, want %d:\n%s", cmd.ProcessState.ExitCode(), c.code, said.String())
			}
		})
	}
}
