package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// bpftrace is bpftrace with the execsnoop.bt that comes with it.
type bpftrace struct{ child *child }

// execsnoopPlaces are where distributions put it.
var execsnoopPlaces = []string{"/usr/sbin/execsnoop.bt", "/usr/share/bpftrace/tools/execsnoop.bt", "/usr/bin/execsnoop.bt"}

func (b *bpftrace) start(ctx context.Context, dir string) (*processes, error) {
	program, err := exec.LookPath("bpftrace")
	if err != nil {
		return nil, errors.New("bpftrace is not installed")
	}
	script := ""
	for _, path := range execsnoopPlaces {
		if _, err := os.Stat(path); err == nil {
			script = path
			break
		}
	}
	if script == "" {
		return nil, errors.New("bpftrace's execsnoop.bt is not installed")
	}
	cmd := exec.Command(program, script)
	if !traceable() {
		// A mount that nobody else sees and that ends with bpftrace.
		cmd = exec.Command("/bin/sh", "-c", `mount -t tracefs tracefs /sys/kernel/tracing && exec "$0" "$@"`, program, script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	if b.child, err = startChild(dir, cmd); err != nil {
		return nil, err
	}
	return &processes{tool: []int{b.child.pid()}}, b.child.ready(ctx, func() error {
		text, err := os.ReadFile(filepath.Join(dir, "out"))
		if err == nil && !strings.Contains(string(text), "ARGS\n") {
			err = errors.New("no header yet")
		}
		return err
	})
}

// traceable says whether the kernel's tracing files are mounted.
func traceable() bool {
	for _, dir := range []string{"/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"} {
		if _, err := os.Stat(dir); err == nil {
			return true
		}
	}
	return false
}

func (b *bpftrace) stop() error { return b.child.end(os.Interrupt) }

func (b *bpftrace) read(dir string, c *counter) error {
	return errors.Join(readFile(filepath.Join(dir, "out"), c, readExecsnoop), readFile(filepath.Join(dir, "log"), c, readExecsnoop))
}

// forkstat is forkstat with users, of execs only.
type forkstat struct {
	flags []string
	child *child
}

func (f *forkstat) start(ctx context.Context, dir string) (*processes, error) {
	program, err := exec.LookPath("forkstat")
	if err != nil {
		return nil, errors.New("forkstat is not installed")
	}
	if f.child, err = startChild(dir, exec.Command(program, append([]string{"-x", "-e", "exec"}, f.flags...)...)); err != nil {
		return nil, err
	}
	// It says nothing when it listens, but its socket is known then.
	return &processes{tool: []int{f.child.pid()}}, f.child.ready(ctx, func() error {
		text, err := os.ReadFile("/proc/net/netlink")
		if err == nil && !hearsConnector(string(text), f.child.pid()) {
			err = errors.New("it has no socket of the process connector")
		}
		return err
	})
}

func (f *forkstat) stop() error { return f.child.end(os.Interrupt) }

func (f *forkstat) read(dir string, c *counter) error {
	return readFile(filepath.Join(dir, "out"), c, readForkstat)
}

// spin sees nothing and only takes CPU time: what it costs a storm that fills all
// CPUs, any tool with as much CPU time of its own costs.
type spin struct{ children []*child }

func (s *spin) start(_ context.Context, dir string) (*processes, error) {
	ps := &processes{}
	for range 3 { // beside 16 spawners on two CPUs about as much as procmond and rsyslogd
		c, err := startChild(dir, exec.Command("sh", "-c", "while :; do :; done"))
		if err != nil {
			return nil, err
		}
		s.children, ps.tool = append(s.children, c), append(ps.tool, c.pid())
	}
	return ps, nil
}

func (s *spin) stop() error {
	var errs []error
	for _, c := range s.children {
		errs = append(errs, c.end(os.Kill))
	}
	return errors.Join(errs...)
}

func (s *spin) read(string, *counter) error { return nil }
