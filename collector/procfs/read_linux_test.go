package procfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"procmon"
)

// These read the real /proc; nothing of them needs root, as every process here
// is the test's own.

func newReader(t testing.TB, maxArgs int) *Reader {
	t.Helper()
	r, err := NewReader("/proc", NewEnvFilter("PROCFS_TEST*", "SLURM_*"), maxArgs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// child starts a program that waits until the test ends.
func child(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("cat", append([]string{"-"}, args...)...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	return start(t, cmd)
}

func start(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.(io.Closer).Close(); _ = cmd.Wait() })
	// Start returns when the kernel closes descriptors, a moment before it sets
	// the new arguments up.
	for {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		if err != nil || len(b) > 0 {
			break
		}
		runtime.Gosched()
	}
	return cmd
}

func TestReaderReadsAProcess(t *testing.T) {
	cmd := child(t, []string{"PROCFS_TEST=yes", "OTHER=no", "SLURM_JOB_ID=5"}, "a b", "\xff\n\x1b[31m")
	raw, err := newReader(t, 4096).Read(int32(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	p := NewParser().Process(raw)
	if got := strings.Join(p.Argv(), "|"); got != "cat|-|a b|\xff\n\x1b[31m" || p.ArgsCount != 4 {
		t.Errorf("arguments %q, %d of them", got, p.ArgsCount)
	}
	if string(p.Env) != "PROCFS_TEST=yes\x00SLURM_JOB_ID=5\x00" {
		t.Errorf("environment %q", p.Env)
	}
	if filepath.Base(p.Exe) != "cat" && !strings.Contains(p.Exe, "coreutils") || p.Comm != "cat" || p.Cwd != cmd.Dir || p.PPID != int32(os.Getpid()) {
		t.Errorf("exe %q, comm %q, cwd %q, parent %d", p.Exe, p.Comm, p.Cwd, p.PPID)
	}
	if p.UID != uint32(os.Getuid()) || p.MountNS == 0 || len(p.Cgroups) == 0 || p.Missing != 0 {
		t.Errorf("uid %d, mount namespace %d, cgroups %v, missing %v", p.UID, p.MountNS, p.Cgroups, p.Missing.Names())
	}
}

func TestReaderCountsLongArguments(t *testing.T) {
	long := []string{strings.Repeat("x", 100<<10), strings.Repeat("y", 100<<10)}
	cmd := child(t, nil, long...)
	raw, err := newReader(t, 1000).Read(int32(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	p := NewParser().Process(raw)
	if want := len("cat\x00-\x00") + 2*(100<<10+1); len(p.Args) != 1000 || p.ArgsBytes != want || p.ArgsCount != 4 {
		t.Errorf("kept %d, truly %d of %d bytes, %d arguments", len(p.Args), p.ArgsBytes, want, p.ArgsCount)
	}
}

func TestReaderKeepsTheEnvironmentBounded(t *testing.T) {
	env := []string{"OTHER=" + strings.Repeat("x", 120<<10), "SLURM_A=" + strings.Repeat("a", 100<<10), "SLURM_B=b"}
	cmd := child(t, env)
	raw, err := newReader(t, 1000).Read(int32(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	got := NewParser().Process(raw).Env
	if !bytes.HasPrefix(got, []byte("SLURM_A=aaa")) || !bytes.HasSuffix(got, []byte("a\x00SLURM_B=b\x00")) || len(got) > maxVariable+20 {
		t.Errorf("%d bytes kept, end %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestReaderDeletedExe(t *testing.T) {
	self, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := start(t, exec.Command(path))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	raw, err := newReader(t, 1000).Read(int32(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if p := NewParser().Process(raw); p.Exe != path || !p.ExeDeleted {
		t.Errorf("exe %q, deleted %v", p.Exe, p.ExeDeleted)
	}
}

func TestReaderGoneAndZombie(t *testing.T) {
	r := newReader(t, 1000)
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := int32(cmd.Process.Pid)
	var info [128]byte // siginfo_t: wait for its end without reaping it
	const pPid, wExited, wNoWait = 1, 4, 0x01000000
	waitID(t, pPid, int(pid), info[:], wExited|wNoWait)
	raw, err := r.Read(pid)
	if err != nil {
		t.Fatal("a zombie:", err)
	}
	p := NewParser().Process(raw)
	if want := procmon.MissingArgs | procmon.MissingExe | procmon.MissingEnv; p.Missing&want != want || p.UID != uint32(os.Getuid()) || p.Comm != "true" {
		t.Errorf("a zombie: missing %v, uid %d, comm %q", p.Missing.Names(), p.UID, p.Comm)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(pid); !errors.Is(err, ErrGone) {
		t.Errorf("after its end: %v, want %v", err, ErrGone)
	}
}

func TestCensusFindsChildrenAndKnowsForks(t *testing.T) {
	boot, err := BootID("/proc")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCensus("/proc", boot, NewEnvFilter(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The subshell is forked and execs nothing: it waits in read.
	cmd := start(t, exec.Command("sh", "-c", "exec 3<&0; ( read x <&3; : ) & wait"))
	shell := int32(cmd.Process.Pid)
	var parent, fork *procmon.Process
	for range 1000 { // until the shell has forked; each scan takes milliseconds
		last := procmon.BootNS(0)
		if err := c.Scan(context.Background(), func(at procmon.BootNS, p *procmon.Process) {
			if at < last {
				t.Errorf("times go back: %d after %d", at, last)
			}
			last = at
			if p.Run.Process.PID == shell {
				parent = p
			}
			if p.PPID == shell {
				fork = p
			}
		}); err != nil {
			t.Fatal(err)
		}
		if parent != nil && fork != nil {
			break
		}
	}
	if parent == nil || fork == nil {
		t.Fatal("not found")
	}
	if parent.NoExec || !fork.NoExec || parent.Boot != boot || parent.Run.Exec != 0 {
		t.Errorf("never exec'ed: the shell %v, its fork %v; boot %q", parent.NoExec, fork.NoExec, parent.Boot)
	}
	if len(fork.Ancestors) < 2 || fork.Ancestors[0].ID != parent.Run.Process || fork.Ancestors[1].ID.PID != int32(os.Getpid()) {
		t.Errorf("ancestors of the fork: %+v", fork.Ancestors)
	}
	if !c.Alive(parent.Run.Process) || c.Alive(procmon.ProcessID{PID: 1 << 30}) {
		t.Error("who is alive")
	}
}

func TestClockAgreesWithItself(t *testing.T) {
	var c Clock
	a := c.Now()
	if wall := c.Wall(a); wall.IsZero() || c.Now() < a {
		t.Errorf("wall %v", wall)
	}
}

func BenchmarkReader(b *testing.B) {
	r := newReader(b, 32<<10)
	pid := int32(os.Getpid())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(pid); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParser(b *testing.B) {
	r := newReader(b, 32<<10)
	raw, err := r.Read(int32(os.Getpid()))
	if err != nil {
		b.Fatal(err)
	}
	p := NewParser()
	b.ReportAllocs()
	for b.Loop() {
		p.Process(raw)
	}
}

func waitID(t *testing.T, kind, id int, info []byte, options int) {
	t.Helper()
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, uintptr(kind), uintptr(id), uintptr(unsafe.Pointer(&info[0])), uintptr(options), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
}
