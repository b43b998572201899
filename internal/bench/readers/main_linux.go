package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"procmon"
	"procmon/collector/procconn"
	"procmon/collector/procfs"
)

func main() {
	program := flag.String("program", "/bin/true", "the program; a static one that does nothing shows most")
	execs := flag.Int("execs", 3000, "programs to start for each line")
	rounds := flag.Int("rounds", 3, "how often; the cheapest round counts")
	most := flag.Int("readers", 256, "readers at most")
	spawn := flag.Bool("spawn", false, "internal: only start the programs")
	flag.Parse()
	var err error
	if *spawn {
		err = start(*program, *execs)
	} else {
		err = bench(*program, *execs, *rounds, *most)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

// start starts programs one after the other.
func start(program string, n int) error {
	attr := &syscall.ProcAttr{Files: []uintptr{0, 1, 2}}
	for range n {
		pid, err := syscall.ForkExec(program, []string{program}, attr)
		if err != nil {
			return err
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

// line is one number of readers.
type line struct {
	programs time.Duration // CPU time of a program with its fork and wait
	source   time.Duration // CPU time of the source for it
	idle     time.Duration // CPU time of the source in a second without programs of ours
	threads  int
	resident int64 // bytes
	kernel   int64 // bytes of slab, kernel stacks and page tables on the whole machine
	execs    int64 // seen
}

func bench(program string, execs, rounds, most int) error {
	if os.Geteuid() != 0 {
		return errors.New("must run as root: it listens to the kernel")
	}
	fmt.Printf("%d × %s one after the other; the cheapest of %d rounds\n", execs, program, rounds)
	fmt.Println("readers  program µs  source µs  idle µs/s  threads  resident MiB  kernel KiB  seen")
	kernel, err := kernelMemory()
	if err != nil {
		return err
	}
	for n := 0; n <= most; n = max(1, 2*n) {
		var best *line
		for range rounds {
			l, err := measure(program, execs, n)
			if err != nil {
				return err
			}
			if best == nil || l.programs < best.programs {
				best = l
			}
		}
		fmt.Printf("%7d  %10.1f  %9.1f  %9.0f  %7d  %12.1f  %10d  %4.1f %%\n", n, best.programs.Seconds()*1e6, best.source.Seconds()*1e6,
			best.idle.Seconds()*1e6, best.threads, float64(best.resident)/(1<<20), (best.kernel-kernel)>>10, 100*float64(best.execs)/float64(execs))
	}
	return nil
}

// measure starts the programs with that many readers listening.
func measure(program string, execs, readers int) (*line, error) {
	var seen atomic.Int64
	stop := func() error { return nil }
	if readers > 0 {
		var err error
		if stop, err = listen(readers, func(e *procmon.Event) {
			if e.Kind == procmon.EventExec && e.Process.Exe == program {
				seen.Add(1)
			}
		}); err != nil {
			return nil, err
		}
	}
	var l line
	idle := used(syscall.RUSAGE_SELF)
	time.Sleep(time.Second)
	l.idle = used(syscall.RUSAGE_SELF) - idle
	own, children := used(syscall.RUSAGE_SELF), used(syscall.RUSAGE_CHILDREN)
	cmd := exec.Command("/proc/self/exe", "-spawn", "-program", program, "-execs", strconv.Itoa(execs))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(err, stop())
	}
	l.source = (used(syscall.RUSAGE_SELF) - own) / time.Duration(execs)
	l.programs = (used(syscall.RUSAGE_CHILDREN) - children) / time.Duration(execs)
	var err error
	if l.kernel, err = kernelMemory(); err == nil {
		err = l.process()
	}
	time.Sleep(200 * time.Millisecond) // what waits in the rings
	err = errors.Join(err, stop())
	l.execs = seen.Load()
	return &l, err
}

// listen opens a source with that many readers, most of them of CPUs that are
// not there.
func listen(readers int, emit func(*procmon.Event)) (stop func() error, err error) {
	cpus := make([]int, readers)
	for i := range cpus {
		cpus[i] = i
	}
	s, err := procconn.Open(procconn.Config{
		Proc: "/proc", Env: procfs.NewEnvFilter("PATH"), MaxArgs: 32 << 10, BufferBytes: 64 << 20, RingBytes: 64 << 20,
		Realtime: true, CPUs: cpus, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx, emit) }()
	return func() error {
		cancel()
		return errors.Join(<-done, s.Close())
	}, nil
}

func used(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u) // fails for a wrong who only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (l *line) process() error {
	figures, err := numbers("/proc/self/status", "Threads:", "VmRSS:")
	if err != nil {
		return err
	}
	l.threads, l.resident = int(figures[0]), figures[1]<<10
	return nil
}

func kernelMemory() (int64, error) {
	figures, err := numbers("/proc/meminfo", "Slab:", "KernelStack:", "PageTables:")
	if err != nil {
		return 0, err
	}
	return (figures[0] + figures[1] + figures[2]) << 10, nil
}

// numbers reads the numbers behind words at the beginning of lines.
func numbers(path string, words ...string) ([]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := make([]int64, len(words))
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		for i, w := range words {
			if len(f) > 1 && f[0] == w {
				if found[i], err = strconv.ParseInt(f[1], 10, 64); err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
			}
		}
	}
	return found, nil
}
