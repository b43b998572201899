package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processes are those that a tool costs.
type processes struct {
	tool   []int
	kernel []int // threads of the kernel that work for it
	logger []int // the rsyslogd that takes its lines
}

// cost is what processes have used so far.
type cost struct {
	tool, kernel, logger time.Duration // CPU
	peak                 int64         // bytes of the tool, resident
	sleeps               int64         // how often a thread of the tool began to wait
}

func (p *processes) cost() (c cost, err error) {
	for _, group := range []struct {
		pids []int
		to   *time.Duration
	}{{p.tool, &c.tool}, {p.kernel, &c.kernel}, {p.logger, &c.logger}} {
		for _, pid := range group.pids {
			cpu, err := cpuTime(pid)
			if err != nil {
				return c, err
			}
			*group.to += cpu
		}
	}
	for _, pid := range p.tool {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		hwm, err := statusValue(filepath.Join(dir, "status"), "VmHWM:")
		if err != nil {
			return c, err
		}
		c.peak += hwm << 10
		threads, err := filepath.Glob(filepath.Join(dir, "task", "*", "status"))
		if err != nil {
			return c, err
		}
		for _, path := range threads {
			n, err := statusValue(path, "voluntary_ctxt_switches:")
			if err != nil {
				return c, err
			}
			c.sleeps += n
		}
	}
	return c, nil
}

// cpuTime reads a process's CPU clock: what its threads ran, to the nanosecond,
// those that have ended too (clock_getcpuclockid(3); the kernel makes the clock's
// number in include/linux/posix-timers_types.h).
func cpuTime(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// statusValue finds a number in a status file of /proc.
func statusValue(path, key string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == key {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, key)
}

// quiet waits until the processes rest: only then have they worked off what
// they saw. Resting is less than 0.5 % of a CPU for a while. Where others keep
// them busy it gives up after the limit.
func (p *processes) quiet(ctx context.Context) error {
	const (
		while = 300 * time.Millisecond
		rest  = while / 200
		limit = 10 * time.Second
	)
	used := func() (time.Duration, error) {
		c, err := p.cost()
		return c.tool + c.kernel + c.logger, err
	}
	before, err := used()
	for end := time.Now().Add(limit); err == nil && time.Now().Before(end); {
		select {
		case <-time.After(while):
		case <-ctx.Done():
			return ctx.Err()
		}
		var now time.Duration
		if now, err = used(); err == nil && now-before < rest {
			return nil
		}
		before = now
	}
	return err
}

// forks is how many processes and threads were ever started on this machine.
func forks() (int, error) {
	n, err := statusValue("/proc/stat", "processes")
	return int(n), err
}
