package procconn

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
)

// setOnline takes a CPU away or brings it back.
func setOnline(t *testing.T, cpu int, online string) {
	t.Helper()
	path := "/sys/devices/system/cpu/cpu" + strconv.Itoa(cpu) + "/online"
	if b, err := os.ReadFile(path); err == nil && string(b) == online+"\n" {
		return
	}
	if err := os.WriteFile(path, []byte(online), 0); err != nil {
		t.Skip("CPUs can't be taken away here: ", err)
	}
}

// ranOnce waits until a program on the given CPU was seen, and fails if it was
// seen twice.
func ranOnce(t *testing.T, l *listener, cpu int) {
	t.Helper()
	cmd := exec.Command("taskset", "-c", strconv.Itoa(cpu), "true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid, seen, exits := int32(cmd.Process.Pid), 0, 0
	l.until(t, "a program on CPU "+strconv.Itoa(cpu), func(events []procmon.Event) bool {
		seen, exits = 0, 0
		for _, e := range events {
			if e.Proc.PID == pid && e.Kind == procmon.EventExec {
				seen++
			}
			if e.Proc.PID == pid && e.Kind == procmon.EventExit {
				exits++
			}
		}
		return exits > 0
	})
	if seen != 2 || exits != 1 { // taskset, then true
		t.Errorf("%d execs and %d exits, want 2 and 1", seen, exits)
	}
}

// TestIntegrationSourceFollowsCPUs takes a CPU away, brings it back while a source
// listens, and does so again: the new reader and the returned one are on it.
func TestIntegrationSourceFollowsCPUs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may take CPUs away")
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("no taskset")
	}
	cpus, err := usableCPUs()
	if err != nil || len(cpus) < 2 {
		t.Skip("needs two CPUs: ", cpus, err)
	}
	cpu := cpus[len(cpus)-1]
	t.Cleanup(func() { setOnline(t, cpu, "1") })
	setOnline(t, cpu, "0")
	l := listenForReal(t, 64<<20)
	if len(l.source.readers) != len(cpus)-1 {
		t.Fatalf("%d readers, want %d", len(l.source.readers), len(cpus)-1)
	}
	l.run(t)
	for range 2 {
		setOnline(t, cpu, "1")
		ranOnce(t, l, cpu) // seen at once, by whichever reader
		awaitPinned(t, cpu)
		ranOnce(t, l, cpu)
		setOnline(t, cpu, "0")
		ranOnce(t, l, cpus[0])
		l.awaitLook(t)
	}
}

// awaitPinned waits until a thread of this process may run on that CPU only.
func awaitPinned(t *testing.T, cpu int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			tid, _ := strconv.Atoi(thread.Name())
			var set unix.CPUSet
			if unix.SchedGetaffinity(tid, &set) == nil && set.Count() == 1 && set.IsSet(cpu) {
				return
			}
		}
	}
	t.Fatal("no reader is pinned to CPU ", cpu)
}

// awaitLook waits until the source has looked for CPUs: it does so every second,
// with a mark at least as often.
func (l *listener) awaitLook(t *testing.T) {
	t.Helper()
	from := l.source.clock.Now()
	l.until(t, "marks of two seconds", func(events []procmon.Event) bool {
		return slices.ContainsFunc(events, func(e procmon.Event) bool {
			return e.Kind == procmon.EventMark && e.Time > from+2*procmon.BootNS(lookEvery)
		})
	})
}

// TestIntegrationSourceInOneCPU confines a source to one CPU; what runs on others
// is seen all the same, and no reader leaves.
func TestIntegrationSourceInOneCPU(t *testing.T) {
	all, err := usableCPUs()
	if err != nil || len(all) < 2 {
		t.Skip("needs two CPUs: ", all, err)
	}
	if os.Getenv("PROCCONN_CONFINED") == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root may listen to the process connector")
		}
		cmd := exec.Command("taskset", "-c", strconv.Itoa(all[0]), os.Args[0], "-test.run", "^TestIntegrationConfined$", "-test.v")
		cmd.Env = append(os.Environ(), "PROCCONN_CONFINED="+strconv.Itoa(all[1]))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// TestIntegrationConfined is the part of TestIntegrationSourceInOneCPU that runs
// confined.
func TestIntegrationConfined(t *testing.T) {
	other, err := strconv.Atoi(os.Getenv("PROCCONN_CONFINED"))
	if err != nil {
		t.Skip("run by TestIntegrationSourceInOneCPU")
	}
	l := listenForReal(t, 64<<20)
	if len(l.source.readers) != 1 || l.source.readers[0].cpu == other {
		t.Fatalf("%d readers", len(l.source.readers))
	}
	l.run(t)
	ranOnce(t, l, other)
}
