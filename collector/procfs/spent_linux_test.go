package procfs

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"procmon"
)

// rusage is what this process has used, as the kernel tells itself.
func rusage(t *testing.T) time.Duration {
	t.Helper()
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func TestMeasure(t *testing.T) {
	census, err := NewCensus("/proc", "b", NewEnvFilter(), 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = census.Close() })
	own, err := census.guard.Spent(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	// A program that was exec'ed is no forked child of this one.
	program, err := census.guard.Spent(int32(child(t, nil).Process.Pid))
	if err != nil || program.NoExec || program.Used.MaxRSS == 0 {
		t.Fatalf("%+v, %v", program, err)
	}
	run := procmon.LiveRun{
		Run:   procmon.Run{Process: &procmon.Process{Run: procmon.RunID{Process: own.ID}}},
		Owned: []procmon.Owned{{ID: own.ID}, {ID: program.ID}},
	}
	gone := run
	gone.Owned = []procmon.Owned{{ID: procmon.ProcessID{PID: 1 << 30, Start: 1}}}
	for used := rusage(t); rusage(t) < used+50*time.Millisecond; { // something to measure
	}
	before := rusage(t)
	usages, err := census.Measure(t.Context(), []procmon.LiveRun{run, gone})
	if err != nil || len(usages) != 2 || usages[1] != (procmon.Usage{}) {
		t.Fatalf("%v, %v", usages, err)
	}
	// /proc tells whole ticks of user and of system time.
	const tick = time.Second / procmon.TicksPerSecond
	if u := usages[0]; u.CPU() < before-2*tick || u.CPU() > rusage(t) || u.MaxRSS < 1<<20 {
		t.Errorf("%+v; the kernel says %v to %v", u, before, rusage(t))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := census.Measure(ctx, []procmon.LiveRun{run}); !errors.Is(err, context.Canceled) {
		t.Errorf("after a stop: %v", err)
	}
	if _, err := census.guard.Spent(1 << 30); !errors.Is(err, ErrGone) {
		t.Errorf("of no process: %v", err)
	}
}
