package main

import (
	"bytes"
	"strings"
	"testing"
)

// The real program, as a user who may read the index and as one who may not.
func TestIntegrationPermissions(t *testing.T) {
	program, index := built(t)
	for _, c := range []struct {
		name   string
		groups []uint32
		code   int
		says   string
	}{
		{"in the group", []uint32{readers}, exitDone, "/bin/a"},
		{"a stranger", nil, exitImpossible, "group may read it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := as(t, nobody, c.groups, program, "--index", index, "--since", "2026-01-01", "--until", "2027-01-01", "--by-executable")
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
