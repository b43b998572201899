package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is the procmond that is measured.
type daemon struct {
	cmd    *exec.Cmd
	binary string
	socket string
	log    string
}

func startDaemon(ctx context.Context, o options, dir string) (*daemon, error) {
	d := &daemon{binary: o.daemon, socket: filepath.Join(dir, "procmond.sock"), log: filepath.Join(dir, "log")}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.CommandContext(ctx, o.daemon, "run", "--config", "/dev/null",
		"--index-path", filepath.Join(dir, "index.db"), "--syslog-address", "file:"+filepath.Join(dir, "runs.jsonl"),
		"--syslog-spool", filepath.Join(dir, "spool"), "--jobs-dir", filepath.Join(dir, "jobs"),
		"--control-socket", d.socket, "--procconn-realtime", o.realtime)
	d.cmd.Stderr = log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if _, err := os.Stat(d.socket); err == nil {
			return d, nil
		}
		if d.cmd.Process.Signal(syscall.Signal(0)) != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(d.log)
	return nil, errors.Join(fmt.Errorf("procmond is not ready: %s", text), d.stop())
}

func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	return d.cmd.Wait()
}

func (d *daemon) flush(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, d.binary, "flush", "--config", "/dev/null", "--control-socket", d.socket).CombinedOutput()
	if err != nil {
		return fmt.Errorf("flush: %w: %s", err, out)
	}
	return nil
}

// cost is what the daemon has used so far.
type cost struct {
	cpu  time.Duration
	peak int64 // bytes
}

// cost adds the exact run time of every thread; the daemon ends no threads
// while it works.
func (d *daemon) cost() (cost, error) {
	var c cost
	proc := filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid))
	threads, err := filepath.Glob(filepath.Join(proc, "task", "*", "schedstat"))
	if err != nil {
		return c, err
	}
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			return c, err
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return c, err
		}
		c.cpu += time.Duration(ns)
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return c, err
			}
			c.peak = kib << 10
		}
	}
	return c, nil
}
