package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// storm is a load in wait: shells of an unprivileged user that, let go, start
// the same short program again and again, each time with another argument.
type storm struct {
	tag    string // begins each argument; no other run on the node has it
	began  time.Time
	shells []*exec.Cmd
	gates  []io.WriteCloser
}

// spawners is how many shells work at once in the second half of a storm.
const spawners = 16

// script waits to be let go; $1 to $2 are the numbers of its programs.
const script = `read go || exit 1
i=$1
while [ "$i" -lt "$2" ]; do "$3" "$4-$i" || exit 1; i=$((i+1)); done`

// nobody is the user that a load runs as: somebody without any rights.
func nobody() (uid, gid uint32) {
	const usual = 65534
	u, err := user.Lookup("nobody")
	if err != nil {
		return usual, usual
	}
	id, err1 := strconv.ParseUint(u.Uid, 10, 32)
	group, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil || id == 0 {
		return usual, usual
	}
	return uint32(id), uint32(group)
}

// newStorm starts the shells. Runs are numbered from 0; the first half comes
// from one shell, one after another, the rest from several at once.
func newStorm(ctx context.Context, runs int) (*storm, error) {
	program, err := exec.LookPath("true")
	if err != nil {
		return nil, err
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	uid, gid := nobody()
	s := &storm{tag: fmt.Sprintf("procmon-load-%d-%08x", os.Getpid(), rand.Uint32()), began: time.Now()}
	start := func(from, to int) error {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script, "sh", strconv.Itoa(from), strconv.Itoa(to), program, s.tag)
		cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
		gate, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return errors.Join(err, gate.Close())
		}
		s.shells, s.gates = append(s.shells, cmd), append(s.gates, gate)
		return nil
	}
	half := runs / 2
	err = start(0, half)
	for i := range spawners {
		part := func(i int) int { return half + (runs-half)*i/spawners }
		if err == nil {
			err = start(part(i), part(i+1))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("can't start a shell as user %d: %w", uid, err), s.end())
	}
	return s, nil
}

// run lets the first shell go, then all others at once, and returns when every
// program has been started and has ended.
func (s *storm) run() error {
	err := s.release(s.shells[:1], s.gates[:1])
	return errors.Join(err, s.release(s.shells[1:], s.gates[1:]))
}

func (s *storm) release(shells []*exec.Cmd, gates []io.WriteCloser) error {
	var errs []error
	for _, gate := range gates {
		_, err := gate.Write([]byte("\n"))
		errs = append(errs, err)
	}
	for _, shell := range shells {
		if err := shell.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("a shell that starts programs: %w", err))
		}
	}
	return errors.Join(errs...)
}

// pids are those of the shells, the parents of all programs.
func (s *storm) pids() []int {
	pids := make([]int, len(s.shells))
	for i, shell := range s.shells {
		pids[i] = shell.Process.Pid
	}
	return pids
}

// end lets go of shells that were never run: they see the end of their input.
func (s *storm) end() error {
	var errs []error
	for i, shell := range s.shells {
		if shell.ProcessState != nil {
			continue
		}
		errs = append(errs, s.gates[i].Close())
		_ = shell.Wait() // it ends with 1, having nothing to do
	}
	return errors.Join(errs...)
}
