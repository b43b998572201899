package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run answers 0 for done, 1 for failed, 2 for wrong use.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, os.Stderr)
	code := 1
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		code = 2
	case o.spawn != "":
		err = beSpawner(o.spawn, os.Stdin, os.Stdout)
	default:
		err = bench(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return code
	}
	return 0
}

// idleTime is how long the idle daemon is looked at.
const idleTime = 20 * time.Second

// meter measures tools, one after the other.
type meter struct {
	o       *options
	stage   *stage
	log     io.Writer
	results results
}

func bench(ctx context.Context, o *options, out, log io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("must run as root: the tools listen to the kernel")
	}
	for _, name := range o.tools {
		if _, err := makeTool(name, o); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "procmon-bench")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(log, "files in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	m := &meter{o: o, log: log, results: results{Machine: machine(), Rounds: o.rounds, Absent: map[string]string{}, Workloads: o.workloads, Tools: o.tools}}
	m.stage, err = newStage(dir, o.uid)
	defer func() { err = errors.Join(err, m.stage.remove()) }()
	if err != nil {
		return err
	}
	// What was measured until an error is worth seeing.
	return errors.Join(m.all(ctx), m.results.print(out, o.format))
}

// all measures round by round, so that a machine that slows down slows down
// every tool; every other round goes backwards.
func (m *meter) all(ctx context.Context) error {
	tools := slices.Clone(m.o.tools)
	for round := range m.o.rounds {
		for i := range m.o.workloads {
			w := &m.o.workloads[i]
			if err := m.stage.can(w); err != nil {
				m.results.Absent[w.name] = err.Error()
				continue
			}
			if w.program == nothing && round > 0 {
				continue // an idle node needs no comparison
			}
			for _, name := range m.besides(tools) {
				if err := m.one(ctx, name, w, round); err != nil {
					return fmt.Errorf("%s, %s: %w", name, w.name, err)
				}
			}
		}
		slices.Reverse(tools)
	}
	return nil
}

// besides puts a run without a tool before and after each tool that is there.
func (m *meter) besides(tools []string) []string {
	var order []string
	for _, name := range tools {
		if name == none || m.results.Absent[name] != "" {
			continue
		}
		if slices.Contains(tools, none) {
			order = append(order, none)
		}
		order = append(order, name)
	}
	if slices.Contains(tools, none) {
		order = append(order, none)
	}
	return order
}

// attempts is how often a measurement is made that others disturb.
const attempts = 3

// one measures a tool in a workload, again where others started many processes
// meanwhile: most tools pay for these too.
func (m *meter) one(ctx context.Context, name string, w *workload, round int) error {
	for i := range attempts {
		if m.results.Absent[name] != "" || name == none && w.program == nothing {
			return nil
		}
		s := sample{Tool: name, Workload: w.name, Round: round, Execs: w.execs * w.each}
		ok, err := m.measure(ctx, w, &s)
		if err != nil || !ok {
			return err
		}
		fmt.Fprintf(m.log, "round %d  %-10s %-13s %6.2f s, %.1f µs an exec\n", round+1, w.name, name, s.Wall.Seconds(), s.micros(s.CPU))
		if !s.disturbed() || w.program == nothing || i == attempts-1 {
			m.results.Samples = append(m.results.Samples, s)
			return nil
		}
		fmt.Fprintf(m.log, "         others started %d processes meanwhile: once more\n", s.Foreign)
	}
	return nil
}

// measure fills a sample. A tool that does not start is left out from then on,
// and not ok.
func (m *meter) measure(ctx context.Context, w *workload, s *sample) (ok bool, err error) {
	t, err := makeTool(s.Tool, m.o)
	if err != nil {
		return false, err
	}
	if t == nil {
		o, err := m.stage.run(ctx, w)
		s.take(o)
		return true, err
	}
	dir := filepath.Join(m.stage.dir, fmt.Sprintf("%s-%s-%d", s.Tool, w.name, s.Round))
	// What is there is of an attempt before this one.
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o750)); err != nil {
		return false, err
	}
	if !m.o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	ps, err := t.start(ctx, dir)
	if err != nil {
		if stopped := t.stop(); stopped != nil {
			err = fmt.Errorf("%w; then: %w", err, stopped)
		}
		if ctx.Err() != nil {
			return false, err
		}
		m.results.Absent[s.Tool] = err.Error()
		fmt.Fprintf(m.log, "%s: not available: %v\n", s.Tool, err)
		return false, nil
	}
	if err := errors.Join(m.watch(ctx, t, ps, w, s), t.stop()); err != nil {
		return false, err
	}
	c := newCounter(m.stage.wanted(w))
	err = t.read(dir, c)
	s.Told = c.tally
	return true, err
}

func (s *sample) take(o outcome) {
	s.Wall, s.CPU, s.RunCPU, s.Foreign = o.wall, o.cpu, o.runs, o.foreign
}

// watch runs the workload and takes what the tool used for it.
func (m *meter) watch(ctx context.Context, t tool, ps *processes, w *workload, s *sample) error {
	if err := ps.quiet(ctx); err != nil {
		return err
	}
	started, err := forks()
	if err != nil {
		return err
	}
	before, err := ps.cost()
	if err != nil {
		return err
	}
	if w.program == nothing {
		err = s.idle(ctx)
	} else {
		err = m.load(ctx, t, ps, w, s)
	}
	if err != nil {
		return err
	}
	after, err := ps.cost()
	if err != nil {
		return err
	}
	// Of all the time for which it pays, not of the workload's alone.
	ended, err := forks()
	s.Foreign = max(ended-started-s.Execs, 0)
	s.ToolCPU, s.KernelCPU, s.LoggerCPU = after.tool-before.tool, after.kernel-before.kernel, after.logger-before.logger
	s.HasKernel, s.HasLogger = ps.kernel != nil, ps.logger != nil
	s.Peak, s.Sleeps = after.peak, after.sleeps-before.sleeps
	return err
}

func (s *sample) idle(ctx context.Context) error {
	s.Wall = idleTime
	select {
	case <-time.After(idleTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load runs the workload until the tool has worked off what it saw.
func (m *meter) load(ctx context.Context, t tool, ps *processes, w *workload, s *sample) error {
	o, err := m.stage.run(ctx, w)
	if err != nil {
		return err
	}
	s.take(o)
	if f, ok := t.(flusher); ok {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	return ps.quiet(ctx)
}

// machine says where the figures come from.
func machine() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return fmt.Sprintf("Linux %s, %d CPUs", unix.ByteSliceToString(u.Release[:]), runtime.NumCPU())
}
