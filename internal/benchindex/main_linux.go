package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"procmon/internal/history"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// options are what the command line says.
type options struct {
	mix  history.Mix
	keep string // path of the index; empty: a temporary one
	load bool   // only make the index
}

// run answers 0 for done, 1 for failed, 2 for wrong use.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := bench(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-index:", err)
		return 1
	}
	return 0
}

func parseOptions(args []string, out io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench-index", flag.ContinueOnError)
	f.SetOutput(out)
	runs := f.Int("runs", 10_000_000, "`number` of runs in the index")
	seed := f.Uint64("seed", 1, "of the made-up history: equal seeds make equal ones")
	f.StringVar(&o.keep, "keep", "", "make the index at this `path` and leave it there; one that is there is used as it is")
	f.BoolVar(&o.load, "load", false, "with -keep: only make the index")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if *runs < 1000 || f.NArg() > 0 {
		err := errors.New("bench-index: want at least 1000 runs, and no arguments but flags")
		fmt.Fprintln(out, err)
		return nil, err
	}
	o.mix = history.Cluster(*runs, *seed)
	return o, nil
}

func bench(ctx context.Context, o *options, out io.Writer) error {
	if o.load {
		return load(ctx, o.keep, o.mix, out)
	}
	dir, err := os.MkdirTemp("", "procmon-bench-index-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	report := filepath.Join(dir, "procmon-report")
	if err := build(ctx, report); err != nil {
		return fmt.Errorf("building procmon-report: %w", err)
	}
	path := o.keep
	if path == "" {
		path = filepath.Join(dir, "procmon.db")
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		// In a process of its own: a program that is started counts the size of
		// the one that starts it as its own greatest (getrusage(2)).
		loader := exec.CommandContext(ctx, "/proc/self/exe", "-load", "-keep", path, "-runs", fmt.Sprint(o.mix.Runs), "-seed", fmt.Sprint(o.mix.Seed))
		loader.Stdout, loader.Stderr = out, os.Stderr
		if err := loader.Run(); err != nil {
			return err
		}
	}
	if err := ask(ctx, report, path, o.mix, out); err != nil {
		return err
	}
	// What follows changes it.
	copied := filepath.Join(dir, "copy.db")
	size, err := copyFile(path, copied)
	if err != nil {
		return err
	}
	if err := steady(ctx, copied, o.mix, out); err != nil {
		return err
	}
	later := o.mix.Next(steadyRuns)
	if err := beside(ctx, report, copied, later, out); err != nil {
		return err
	}
	return prune(ctx, copied, size, later, out)
}

func copyFile(from, to string) (int64, error) {
	src, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(dst, src)
	return n, errors.Join(err, dst.Close())
}
