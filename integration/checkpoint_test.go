package integration

import (
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// checkpointScript burns CPU time in a forked child while the file is there that
// its first argument names; the shell itself only waits.
const checkpointScript = `(while [ -e "$1" ]; do :; done) &
wait
`

// TestIntegrationCheckpoints follows a program that goes on, with a checkpoint
// every second, over a kill of the daemon: what it has used so far grows, its
// end has the total, and the index has as much on the days, at any time.
func TestIntegrationCheckpoints(t *testing.T) {
	f := setUp(t)
	for _, source := range []string{"procconn", "bpf"} {
		t.Run(source, func(t *testing.T) {
			if _, err := os.Stat("/sys/kernel/btf/vmlinux"); source == "bpf" && err != nil {
				t.Skip("the kernel does not tell its types:", err)
			}
			checkpoints(t, f, source)
		})
	}
}

func checkpoints(t *testing.T, f *fixture, source string) {
	d := startDaemon(t, f, "--source", source, "--bpf-pin", "off", "--start-after", "1s", "--checkpoint-every", "1s")
	tag, burn := newTag(), f.tempDir(t)+"/burn" // which ends with the test, so the child does too
	f.empty(t, burn)
	cmd := as(t, f.alice, "/bin/sh", f.alice.write(t, tag+".sh", checkpointScript), burn, tag)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := func() []line {
		var infos []line
		for _, l := range withArg(readLines(t, d.lines), tag) {
			if slices.Contains(l.Event.Type, "info") {
				infos = append(infos, l)
			}
		}
		return infos
	}
	wait := func(n int) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			if got := len(told()); got < n {
				return fmt.Errorf("%d info lines, want %d", got, n)
			}
			return nil
		})
	}
	wait(2)
	d.flush()
	d.agrees(tag)
	d.signal(syscall.SIGKILL)
	before := len(told())
	d.start()
	wait(before + 2)
	if err := os.Remove(burn); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	d.flush()
	d.agrees(tag)

	lines := withArg(readLines(t, d.lines), tag)
	end := lines[len(lines)-1]
	if !lines[0].starts() || !end.ends() || len(lines) != len(told())+2 {
		t.Errorf("%d lines of which %d info lines; want a start before and an end behind them", len(lines), len(told()))
	}
	first, last := told()[0], line{}
	for _, l := range lines[1:] {
		u, v := l.HPC.Usage, last.HPC.Usage
		if u.User < v.User || u.System < v.System || l.Event.Duration < last.Event.Duration {
			t.Errorf("%v line tells %+v after %v ns, the line before it %+v after %v ns", l.Event.Type, u, l.Event.Duration, v, last.Event.Duration)
		}
		last = l
	}
	if grown := end.cpu() - first.cpu(); grown < time.Second {
		t.Errorf("CPU time grew by %v only from the first checkpoint to the end", grown)
	}
	if secs := d.cpuOf(tag); math.Abs(secs-end.cpu().Seconds()) > 1e-5 {
		t.Errorf("the index has %v s of CPU, the end line %v", secs, end.cpu())
	}
	// Of the shell and the child that it waited for.
	want := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if diff := (end.cpu() - want).Abs(); diff > 50*time.Millisecond {
		t.Errorf("the end line has %v of CPU, the kernel told the parent %v", end.cpu(), want)
	}
}

func (l *line) cpu() time.Duration { return time.Duration(l.HPC.Usage.User + l.HPC.Usage.System) }

// cpuOf is the CPU time in seconds of the run whose last argument is arg.
func (d *daemon) cpuOf(arg string) float64 {
	d.t.Helper()
	rows := d.rows(arg)
	if len(rows) != 1 {
		d.t.Fatalf("%d runs in the index with %s, want 1", len(rows), arg)
	}
	return rows[0].CPU
}

// agrees holds that the days of the program's user sum up to the run with the
// argument: it is the only one of that user in this index.
func (d *daemon) agrees(arg string) {
	d.t.Helper()
	cpu := d.cpuOf(arg)
	for _, view := range []string{"usage", "history"} {
		d.query("SELECT sum(runs), sum(cpu_seconds), sum(elapsed_seconds) - (SELECT elapsed_seconds FROM runs WHERE command_line LIKE '% ' || ?) FROM "+view+
			" WHERE user = ?", []any{arg, d.f.alice.name}, func(scan func(...any) error) error {
			var runs int
			var sum, elapsed float64
			err := scan(&runs, &sum, &elapsed)
			if runs != 1 || cpu == 0 || math.Abs(sum-cpu) > 1e-5 || math.Abs(elapsed) > 1e-5 {
				d.t.Errorf("%s has %d runs, %v s of CPU and %v s more of elapsed time than the run, which has %v s of CPU", view, runs, sum, elapsed, cpu)
			}
			return err
		})
	}
}
