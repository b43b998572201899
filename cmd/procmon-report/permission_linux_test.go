package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"procmon/report/reporttest"
)

// The real program, as a user who may read the index and as one who may not.
func TestIntegrationPermissions(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir, err := os.MkdirTemp("/tmp", "procmon-report-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, index := filepath.Join(dir, "procmon-report"), filepath.Join(dir, "data", "procmon.db")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Skipf("cannot build: %v\n%s", err, out)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Dir(index), 0o755)); err != nil {
		t.Fatal(err)
	}
	reporttest.Append(t, index, "n1", reporttest.Run{At: reporttest.Now, PID: 5, User: "a", UID: 1000, Exe: "/bin/a", Args: []string{"a"}}.Record())
	const nobody, readers = 65534, 64999
	files, err := filepath.Glob(index + "*") // with what SQLite keeps beside it
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := errors.Join(os.Chown(name, 0, readers), os.Chmod(name, 0o640)); err != nil {
			t.Fatal(err)
		}
	}
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
			cmd := exec.CommandContext(t.Context(), program, "--index", index, "--since", "2026-01-01", "--until", "2027-01-01", "--by-executable")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: c.groups}}
			cmd.Dir = "/"
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
