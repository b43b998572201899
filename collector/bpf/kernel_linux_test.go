package bpf

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"procmon"
)

// testUser is a real user id that nobody else on the machine has.
const testUser = 1999999000

type bootClock struct{}

func (bootClock) Now() procmon.BootNS {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return procmon.BootNS(ts.Nano())
}

func (c bootClock) Wall(at procmon.BootNS) time.Time {
	return time.Now().Add(time.Duration(int64(at) - int64(c.Now())))
}

type noAncestors struct{}

func (noAncestors) Exec(*procmon.Process)                         {}
func (noAncestors) Exit(int32)                                    {}
func (noAncestors) Complete(*procmon.Process, []procmon.Ancestor) {}

func openTest(t *testing.T) *Source {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: programs are loaded into the kernel")
	}
	s, err := Open(Config{
		Boot: "test", Exclude: []uint32{0}, MaxArgs: 4096, RingBytes: 4 << 20,
		KeepEnv: func(b []byte) []byte { return b }, Read: func(int32) (*procmon.Process, error) { return nil, os.ErrNotExist },
		Ancestors: noAncestors{}, Clock: bootClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Skipf("the programs can't be loaded: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// asTestUser prepares a program of a user of its own.
func asTestUser(t *testing.T, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUser, Gid: testUser}}
	return cmd
}

// ended waits until no run of the test's user has a process in the books, and
// gives their number. Whether its processes are freed is not asked: the kernel
// skips that hook at times while another one is attached.
func ended(t *testing.T, s *Source) (runs int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var open []captureRun
		runs = 0
		if err := s.eachRun(func(_ *captureRunId, r *captureRun) {
			if r.Uid != testUser {
				return
			}
			if runs++; r.Alive != 0 {
				open = append(open, *r)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return runs
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d runs have processes for ever, such as %+v", len(open), runs, open[0])
		}
	}
}

// Processes that are told while they are forked are counted once.
func TestIntegrationToldWhileForked(t *testing.T) {
	s := openTest(t)
	cmd := asTestUser(t, "/bin/sh", "-c", `(i=0; while [ $i -lt 6000 ]; do (:); i=$((i+1)); done)& i=0; while [ $i -lt 6000 ]; do (:); i=$((i+1)); done; wait`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := s.Owners(); err != nil {
				asked <- err
				return
			}
		}
		asked <- nil
	}()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	if n := ended(t, s); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
}

// A process whose leader has exited leaves its run, even when there is no room
// to keep what it was in.
func TestIntegrationLeaderless(t *testing.T) {
	python, err := exec.LookPath("/usr/bin/python3") // one that every user can start
	if err != nil {
		t.Skip("needs python3")
	}
	const program = `
import ctypes, os, threading, time
def follow(main=threading.main_thread()):
    while open('/proc/%d/task/%d/stat' % (os.getpid(), os.getpid())).read().rsplit(')', 1)[1].split()[0] != 'Z':
        time.sleep(0.001)
    os.execv('/bin/true', ['true'])
threading.Thread(target=follow).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)
`
	for _, full := range []bool{false, true} {
		s := openTest(t)
		if full {
			for i := range s.progs.Leaderless.MaxEntries() {
				if err := s.progs.Leaderless.Update(1<<30+i, make([]byte, s.progs.Leaderless.ValueSize()), ebpf.UpdateAny); err != nil {
					t.Fatal(err)
				}
			}
		}
		if out, err := asTestUser(t, python, "-c", program).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if n := ended(t, s); n != 2 {
			t.Errorf("full %v: %d runs, want 2", full, n)
		}
		var none uint64
		for _, c := range s.grown(countNoChild) {
			none += c.N
		}
		if (none > 0) != full {
			t.Errorf("full %v: %d processes were not kept in their run", full, none)
		}
	}
}

// A process that is not reaped in time is told once and leaves the books: what
// comes of it later makes no run.
func TestIntegrationNeverReaped(t *testing.T) {
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan procmon.Event, 64)
	ran := make(chan error, 1)
	go func() {
		ran <- s.Run(ctx, func(e *procmon.Event) {
			if e.Kind == procmon.EventOver {
				told <- *e
			}
		})
	}()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	cmd := asTestUser(t, "/bin/sh", "-c", `/bin/true & exec sleep 4`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	var run procmon.RunID
	for late := false; ; {
		select {
		case e := <-told:
			if e.Over.Provisional && e.Over.Process != nil && e.Over.Process.UID == testUser {
				run = e.Run
				s.Forget([]procmon.RunID{run})
				_ = s.eachRun(func(id *captureRunId, _ *captureRun) {
					if id.id() == run {
						t.Error("the run is still in the books")
					}
				})
			} else if e.Run == run {
				if e.Over.Process != nil || e.Over.Untold {
					t.Errorf("told again: %+v", e.Over)
				}
				late = true
			}
		case <-time.After(15 * time.Second):
			t.Fatalf("no more is told; of run %+v", run)
		}
		if late {
			return
		}
	}
}

// A run of which there is no room to keep books is told, and is no lost run.
func TestIntegrationBooksFull(t *testing.T) {
	s := openTest(t)
	var one captureRun
	for i := range s.progs.Runs.MaxEntries() {
		if err := s.progs.Runs.Update(captureRunId{Pid: 1 << 30, Start: uint64(i)}, &one, ebpf.UpdateAny); errors.Is(err, unix.E2BIG) {
			break // some are the machine's own
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := asTestUser(t, "/bin/true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var run procmon.RunID
	begun, over := 0, 0
	for end := time.Now().Add(10 * time.Second); over == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.drain(s.cfg.Clock.Now(), func(e *procmon.Event) {
			switch {
			case e.Kind == procmon.EventExec && e.Process.UID == testUser:
				run = e.Process.Run
				begun++
			case e.Kind == procmon.EventOver && e.Run == run:
				over++
			}
		})
	}
	if begun != 1 || over != 1 {
		t.Errorf("told of %d executions and %d ends, want 1 and 1", begun, over)
	}
	counted := uint64(0)
	s.tellLosses(s.cfg.Clock.Now(), func(e *procmon.Event) {
		if procmon.LosesRuns(e.Loss.Reason, e.Loss.Where) {
			t.Errorf("counted as a lost run: %+v", e.Loss)
		}
		counted += e.Loss.Count
	})
	if counted == 0 {
		t.Error("nothing says that there were no books")
	}
	s.tellLosses(s.cfg.Clock.Now(), func(e *procmon.Event) { t.Errorf("told again: %+v", e.Loss) })
}

// A source that nothing happens to says how far it is when it is asked.
func TestIntegrationHurry(t *testing.T) {
	s := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	marks := make(chan procmon.BootNS, 64)
	ran := make(chan error, 1)
	go func() {
		ran <- s.Run(ctx, func(e *procmon.Event) {
			if e.Kind == procmon.EventMark {
				marks <- e.Time
			}
		})
	}()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	for range 3 { // unasked, it would take more than 20 seconds
		at := s.cfg.Clock.Now()
		late := time.After(5 * time.Second)
		for mark := procmon.BootNS(0); mark <= at; s.Hurry() {
			select {
			case mark = <-marks:
			case <-time.After(time.Duration(markSlack)):
			case <-late:
				t.Fatal("no mark")
			}
		}
	}
}
