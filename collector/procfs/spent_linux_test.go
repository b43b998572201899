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

// A process that can't be read is left out, and holds nobody up for long.
func TestMeasureGivesUpOnOneThatHangs(t *testing.T) {
	root := t.TempDir()
	for _, pid := range []string{"7", "8"} {
		if err := os.Mkdir(root+"/"+pid, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(root+"/7/stat", 0o600); err != nil { // opening it waits for a writer
		t.Fatal(err)
	}
	stat := "8 (x) R 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 77 0 0\n"
	if err := os.WriteFile(root+"/8/stat", []byte(stat), 0o600); err != nil {
		t.Fatal(err)
	}
	census := &Census{root: root, guard: NewGuard(root, NewEnvFilter(), 0, 50*time.Millisecond)}
	t.Cleanup(func() { _ = census.Close() })
	hangs, fine := procmon.ProcessID{PID: 7, Start: 70}, procmon.ProcessID{PID: 8, Start: 77}
	run := procmon.LiveRun{
		Run:    procmon.Run{Process: &procmon.Process{Run: procmon.RunID{Process: fine}}},
		Booked: procmon.Usage{User: time.Second},
		Owned:  []procmon.Owned{{ID: hangs}, {ID: fine}},
	}
	usages, err := census.Measure(t.Context(), []procmon.LiveRun{run})
	if err != nil || usages[0].CPU() != 3*time.Second || census.guard.Stuck() != 1 {
		t.Errorf("%+v, %v, %d stuck; want 3 s, one stuck", usages[0], err, census.guard.Stuck())
	}
	writer, err := os.OpenFile(root+"/7/stat", os.O_RDWR, 0) // lets the read go on
	if err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
}

func BenchmarkMeasure(b *testing.B) {
	census, err := NewCensus("/proc", "b", NewEnvFilter(), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = census.Close() })
	own, err := census.guard.Spent(int32(os.Getpid()))
	if err != nil {
		b.Fatal(err)
	}
	run := procmon.LiveRun{Run: procmon.Run{Process: &procmon.Process{Run: procmon.RunID{Process: own.ID}}}, Owned: []procmon.Owned{{ID: own.ID}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := census.Measure(b.Context(), []procmon.LiveRun{run}); err != nil {
			b.Fatal(err)
		}
	}
}
