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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	var o options
	spawn := flag.String("spawn", "", "internal: FIRST:COUNT, be one spawner")
	flag.StringVar(&o.daemon, "procmond", "bin/procmond", "the daemon to measure")
	flag.IntVar(&o.execs, "execs", 20000, "programs to start")
	flag.IntVar(&o.spawners, "spawners", 16, "how many are started at once")
	flag.IntVar(&o.uid, "uid", 65534, "user id to start them as")
	flag.StringVar(&o.program, "program", "/bin/true", "the program")
	flag.StringVar(&o.realtime, "realtime", "readers", "procconn.realtime of the daemon")
	flag.BoolVar(&o.keep, "keep", false, "keep the daemon's files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *spawn != "" {
		return beSpawner(*spawn, o.program)
	}
	return run(ctx, o, os.Stdout)
}

func run(ctx context.Context, o options, w io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("must run as root: procmond listens to the kernel")
	}
	dir, err := os.MkdirTemp("", "procmon-bench")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(w, "files in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	cg, err := makeCgroup(o.uid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cg.remove()) }()
	d, err := startDaemon(ctx, o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	before, err := d.cost()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := storm(ctx, o, cg); err != nil {
		return err
	}
	took := time.Since(began)
	if err := d.flush(ctx); err != nil {
		return err
	}
	after, err := d.cost()
	if err != nil {
		return err
	}
	seen, err := count(filepath.Join(dir, "runs.jsonl"), o)
	if err != nil {
		return err
	}
	seen.print(w, o)
	fmt.Fprintf(w, "time            %.2f s, %.0f execs/s\n", took.Seconds(), float64(o.execs)/took.Seconds())
	fmt.Fprintf(w, "daemon CPU      %.1f µs an exec (every thread of procmond: readers, mapping, JSON lines, index)\n", float64((after.cpu-before.cpu).Nanoseconds())/float64(o.execs)/1000)
	fmt.Fprintf(w, "peak memory     %.1f MiB resident\n", float64(after.peak)/(1<<20))
	return nil
}

// storm starts the programs, from as many processes as there are spawners.
func storm(ctx context.Context, o options, cg *cgroup) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// A copy that an unprivileged user can run wherever this one lies.
	binary, err := os.CreateTemp("", spawnerName)
	if err != nil {
		return err
	}
	defer os.Remove(binary.Name())
	b, err := os.ReadFile(self)
	if err == nil {
		_, err = binary.Write(b)
	}
	if err = errors.Join(err, binary.Chmod(0o755), binary.Close()); err != nil {
		return err
	}
	each := o.execs / o.spawners
	errs := make([]error, o.spawners)
	var wg sync.WaitGroup
	for i := range o.spawners {
		wg.Go(func() {
			cmd := exec.CommandContext(ctx, binary.Name(), "-program", o.program, "-spawn", fmt.Sprintf("%d:%d", i*each, each))
			cmd.Dir, cmd.Env, cmd.Stderr = "/", []string{"PATH=/usr/bin:/bin", "SLURM_JOB_ID=" + jobID, "HOME=/"}, os.Stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.uid)}}
			stdin, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err == nil {
				err = errors.Join(cg.add(cmd.Process.Pid), stdin.Close()) // closing it says go
				err = errors.Join(err, cmd.Wait())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// beSpawner waits for its start, then starts programs one after the other,
// each with an argument that no other has.
func beSpawner(span, program string) error {
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	from, n, _ := strings.Cut(span, ":")
	first, err1 := strconv.Atoi(from)
	count, err2 := strconv.Atoi(n)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	for i := first; i < first+count; i++ {
		pid, err := syscall.ForkExec(program, []string{program, argument(i)}, attr)
		if err != nil {
			return err
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			return err
		}
	}
	return nil
}
