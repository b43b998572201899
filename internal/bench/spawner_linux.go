package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

// orders are what one spawner does.
type orders struct {
	Argv  []string // started once, as it is; if there is none:
	Path  string   // started Count times, with argument(Tag, First), argument(Tag, First+Step) …
	Tag   string
	First int
	Step  int
	Count int
	Gap   time.Duration // from one start to the next; 0: at once
	Delay time.Duration // of the first
}

// spent is what a spawner tells at its end: CPU time from the start signal on.
type spent struct{ Own, Children time.Duration }

// beSpawner waits for its start, then starts programs one after the other.
func beSpawner(text string, stdin io.Reader, stdout io.Writer) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	debug.SetGCPercent(-1) // so that its own CPU time is the same each time
	if _, err := io.ReadAll(stdin); err != nil {
		return err
	}
	own := usage(syscall.RUSAGE_SELF)
	err := o.follow()
	done := spent{Own: usage(syscall.RUSAGE_SELF) - own, Children: usage(syscall.RUSAGE_CHILDREN)}
	return errors.Join(err, json.NewEncoder(stdout).Encode(done))
}

func usage(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		return 0 // who is one of two constants
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (o *orders) follow() error {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 2, 2}}
	if o.Argv != nil {
		return start(o.Path, o.Argv, attr)
	}
	began := time.Now().Add(o.Delay)
	for i := range o.Count {
		if o.Gap > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * o.Gap)))
		}
		if err := start(o.Path, []string{o.Path, argument(o.Tag, o.First+i*o.Step)}, attr); err != nil {
			return err
		}
	}
	return nil
}

// start starts a program and waits for its end.
func start(path string, argv []string, attr *syscall.ProcAttr) error {
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err = syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil && status != 0 {
		err = errors.New(path + " failed")
	}
	return err
}
