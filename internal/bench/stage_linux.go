package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// stage is where workloads run: the job's cgroup, and files that an
// unprivileged user can reach.
type stage struct {
	dir     string
	uid     int
	job     *cgroup
	spawner string             // a copy of this program
	exes    map[program]string // as the kernel tells them
	paths   map[program]string // as they are started
}

// newStage makes all that workloads need; without gcc some can't be run.
func newStage(dir string, uid int) (s *stage, err error) {
	s = &stage{dir: dir, uid: uid, spawner: filepath.Join(dir, spawnerName), paths: map[program]string{dynamic: "/bin/true"}, exes: map[program]string{}}
	if err := copySelf(s.spawner); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.work(), 0o755); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("gcc"); err == nil {
		if s.paths[static], err = buildStatic(dir); err != nil {
			return nil, err
		}
	}
	if _, err := exec.LookPath("make"); err == nil && s.paths[static] != "" {
		s.paths[build], _ = exec.LookPath("gcc")
	}
	for p, path := range s.paths {
		if s.exes[p], err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	// The process's number makes jobs of benchmarks that run at once differ.
	s.job, err = makeCgroup(uid, strconv.Itoa(40_000_000+os.Getpid()))
	return s, err
}

func (s *stage) work() string { return filepath.Join(s.dir, "work") }

// copySelf makes a copy that an unprivileged user can run wherever this one lies.
func copySelf(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

func buildStatic(dir string) (string, error) {
	source, path := filepath.Join(dir, "static.c"), filepath.Join(dir, "static")
	if err := os.WriteFile(source, []byte(staticSource), 0o644); err != nil {
		return "", err
	}
	out, err := exec.Command("gcc", "-Os", "-static", "-nostdlib", "-o", path, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc: %w: %s", err, out)
	}
	return path, nil
}

// can says why a workload can't be run here.
func (s *stage) can(w *workload) error {
	if w.program != nothing && s.paths[w.program] == "" {
		return errors.New("needs gcc and make, which are not installed")
	}
	return nil
}

// wanted is what the records of a workload should hold.
func (s *stage) wanted(w *workload) wanted {
	exe := s.exes[w.program]
	want := wanted{
		lines: make(map[string]bool, w.execs), exe: exe, name: filepath.Base(exe), uids: []string{strconv.Itoa(s.uid)}, cwd: s.work(),
		job: s.job.job, cgroup: s.job.job + ".0",
	}
	if u, err := user.LookupId(want.uids[0]); err == nil {
		want.uids = append(want.uids, u.Username)
	}
	for i := range w.execs {
		switch w.program {
		case build:
			want.lines[compiles(s.tag(), i)] = true
		case dynamic, static:
			want.lines[s.paths[w.program]+" "+argument(s.tag(), i)] = true
		}
	}
	if w.program == build {
		want.name, want.cwd = "gcc", s.tree()
	}
	return want
}

// tag is in the arguments of all programs; no other benchmark has it now.
func (s *stage) tag() string { return s.job.job }

func (s *stage) tree() string { return filepath.Join(s.dir, "tree") }

// orders of all the spawners of a workload.
func (s *stage) orders(w *workload) (dir string, all []orders, err error) {
	if w.program == build {
		path, err := exec.LookPath("make")
		if err == nil {
			err = errors.Join(os.RemoveAll(s.tree()), writeTree(s.tree(), s.tag(), w.execs, s.uid))
		}
		return s.tree(), []orders{{Path: path, Argv: []string{"make", "-s", fmt.Sprintf("-j%d", w.jobs)}}}, err
	}
	for i := range w.spawners {
		o := orders{Path: s.paths[w.program], Tag: s.tag(), First: i, Step: w.spawners, Count: w.execs / w.spawners}
		if w.rate > 0 {
			beat := time.Second / time.Duration(w.rate)
			o.Gap, o.Delay = beat*time.Duration(w.spawners), beat*time.Duration(i)
		}
		all = append(all, o)
	}
	return s.work(), all, nil
}

// outcome is what a workload took.
type outcome struct {
	wall time.Duration
	cpu  time.Duration // of all its processes
	runs time.Duration // of it, what wait4 told of those that were started
	// foreign is how many processes and threads others started meanwhile.
	foreign int
}

// run runs a workload to its end.
func (s *stage) run(ctx context.Context, w *workload) (o outcome, err error) {
	dir, all, err := s.orders(w)
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	spawners := make([]*spawner, 0, len(all))
	for _, order := range all {
		var sp *spawner
		if sp, err = s.spawn(ctx, dir, order); err != nil {
			break
		}
		spawners = append(spawners, sp)
	}
	if err != nil {
		cancel() // those that wait for their start must end
	}
	before, err2 := forks()
	began := time.Now()
	for _, sp := range spawners {
		_ = sp.stdin.Close() // closing it says go
	}
	errs := make([]error, len(spawners))
	var wg sync.WaitGroup
	for i, sp := range spawners {
		wg.Go(func() { errs[i] = sp.cmd.Wait() })
	}
	wg.Wait()
	o.wall = time.Since(began)
	after, err3 := forks()
	err = errors.Join(err, err2, err3)
	o.foreign = max(after-before-w.execs*w.each, 0)
	for _, sp := range spawners {
		var did spent
		if err = errors.Join(err, json.Unmarshal(sp.out.Bytes(), &did)); err != nil {
			break
		}
		o.cpu += did.Own + did.Children
		o.runs += did.Children
	}
	return o, errors.Join(append(errs, err)...)
}

type spawner struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer
}

// spawn starts a spawner in the job's cgroup; it waits for its standard input
// to end.
func (s *stage) spawn(ctx context.Context, dir string, o orders) (*spawner, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	sp := &spawner{cmd: exec.CommandContext(ctx, s.spawner, "-spawn", string(text))}
	sp.cmd.Dir, sp.cmd.Env, sp.cmd.Stdout, sp.cmd.Stderr = dir, environment(s.job.job), &sp.out, os.Stderr
	sp.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.uid)}}
	if sp.stdin, err = sp.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err = sp.cmd.Start(); err != nil {
		return nil, err
	}
	if err = s.job.add(sp.cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, sp.cmd.Process.Kill(), sp.cmd.Wait())
	}
	return sp, nil
}

// remove takes away the job.
func (s *stage) remove() error {
	if s == nil || s.job == nil {
		return nil
	}
	return s.job.remove()
}
