package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tool is a program that records other programs. Its files lie in a directory
// of its own, which is empty at first.
type tool interface {
	// start returns when it records, with the processes that it costs. An error
	// is the reason why it can't be measured here.
	start(ctx context.Context, dir string) (*processes, error)
	// stop lets it write what it saw, ends it and puts back what it changed.
	// It is called after a failed start too.
	stop() error
	// read adds what it told; it is called after stop.
	read(dir string, c *counter) error
}

// flusher is a tool that can be asked to write what it saw.
type flusher interface {
	flush(ctx context.Context) error
}

// makeTool makes a tool that has not been started yet; nil is no tool.
func makeTool(name string, o *options) (tool, error) {
	switch name {
	case "none":
		return nil, nil
	case "bpf":
		return &procmond{o: o, flags: []string{"--source", "bpf", "--bpf-pin", "off"}}, nil
	case "procconn":
		return &procmond{o: o, flags: []string{"--source", "procconn"}}, nil
	case "procconn-all":
		return &procmond{o: o, flags: []string{"--source", "procconn", "--procconn-realtime", "all"}}, nil
	case "procconn-off":
		return &procmond{o: o, flags: []string{"--source", "procconn", "--procconn-realtime", "off"}}, nil
	case "auditd":
		return &auditd{}, nil
	case "go-audit":
		return &goAudit{}, nil
	case "bpftrace":
		return &bpftrace{}, nil
	case "forkstat":
		return &forkstat{}, nil
	case "forkstat-r":
		return &forkstat{flags: []string{"-r"}}, nil
	case "spin":
		return &spin{}, nil
	}
	return nil, fmt.Errorf("no tool %q: there are %s, procconn-off and spin", name, strings.Join(toolNames, ", "))
}

// child is a tool's process.
type child struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has
}

// startChild starts a program; what it prints goes to the files out and log
// (standard error) in dir.
func startChild(dir string, cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = out, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt from the terminal is for the benchmark, which stops it in order
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // how it ended doesn't matter, only what it told
		close(c.ended)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ready waits until ask gives no error, or fails with what the program said last.
func (c *child) ready(ctx context.Context, ask func() error) error {
	const limit = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("%s ended: %s", c.cmd.Args[0], c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w; it said: %s", c.cmd.Args[0], limit, err, c.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *child) lastWords() string {
	b, _ := os.ReadFile(c.log)
	said := strings.Split(strings.TrimSpace(string(b)), "\n")
	return said[len(said)-1]
}

// end stops the program, in good time or not.
func (c *child) end(s os.Signal) error {
	if c == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(s)
	select {
	case <-c.ended:
		return nil
	case <-time.After(20 * time.Second):
	}
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	<-c.ended
	return fmt.Errorf("%s did not end within 20 s of a signal and was killed", c.cmd.Args[0])
}

// readFile gives a tool's output to its parser.
func readFile(path string, c *counter, parse func(io.Reader, *counter) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return parse(f, c)
}
