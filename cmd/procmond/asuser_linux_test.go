package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"procmon"
	"procmon/collector/procfs"
)

func TestIntegrationAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it takes another user's permissions")
	}
	private := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(private, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(private, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	// t.TempDir lies below directories that only root may enter.
	if err := os.Chmod(filepath.Dir(private), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(private)), 0o755); err != nil {
		t.Fatal(err)
	}
	read := func() error { _, err := os.ReadFile(private); return err }
	var g userGroups
	as := func(uid, gid uint32) (err error) {
		g.asUser(&procmon.Process{UID: uid, GID: gid}, func() { err = read() })
		return err
	}
	if own, foreign := as(1234, 1234), as(65534, 65534); own != nil || !errors.Is(foreign, os.ErrPermission) {
		t.Errorf("its owner: %v; another user: %v, want %v", own, foreign, os.ErrPermission)
	}
	if err := read(); err != nil {
		t.Errorf("root, afterwards: %v", err)
	}
	if err := os.Chmod(private, 0o640); err != nil {
		t.Fatal(err)
	}
	// A user of whose processes one had the group, and others that had not.
	g.known = map[uint32]knownGroups{4321: {[]uint32{5, 1234}, time.Now().Add(time.Hour)}}
	if member, other := as(4321, 4321), as(4322, 4322); member != nil || !errors.Is(other, os.ErrPermission) {
		t.Errorf("one of its group: %v; the next user: %v, want %v", member, other, os.ErrPermission)
	}
}

// TestIntegrationGroupsOfALivingProcess: they are those that the kernel gave it.
func TestIntegrationGroupsOfALivingProcess(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it starts a process of another user")
	}
	cmd := exec.Command("/bin/cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4321, Gid: 4321, Groups: []uint32{7, 1234}}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("no process of another user:", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := procfs.ParseStat(stat)
	if err != nil {
		t.Fatal(err)
	}
	p := &procmon.Process{UID: 4321, GID: 4321}
	p.Run.Process = procmon.ProcessID{PID: parsed.PID, Start: parsed.Start}
	var g userGroups
	if got := g.of(p); !slices.Equal(got, []uint32{7, 1234}) {
		t.Errorf("alive: %v", got)
	}
	later, other := *p, *p
	later.Run.Process.Start += 1000
	other.UID = 1
	var fresh userGroups
	if a, b := fresh.of(&later), fresh.of(&other); a != nil || b != nil {
		t.Errorf("another process of its pid has %v, one of another user %v", a, b)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := g.of(p); !slices.Equal(got, []uint32{7, 1234}) {
		t.Errorf("gone, but its user is known: %v", got)
	}
	if got := fresh.of(p); got != nil {
		t.Errorf("gone, and its user not known: %v", got)
	}
}
