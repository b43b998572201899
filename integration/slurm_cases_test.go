package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// heterogeneous: each component is a job of its own for the kernel, and its
// tasks' environment names the leader.
func (w *world) heterogeneous(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
/bin/true `+tag+`-batch
srun --het-group=1 /bin/true `+tag+`-one
srun --het-group=0,1 sh -c '/bin/true `+tag+`-both-$SLURM_PROCID; exit 0'
`, "--ntasks=1", ":", "--ntasks=2")
	return func(t *testing.T) {
		d, s := w.on(t)
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		second := strconv.Itoa(n + 1)
		_, lines := w.settle(t, w.f.alice, id, second)
		d.expect(lines, s.cluster,
			want{arg: tag + "-batch", user: w.f.alice, raw: id, job: id + "+0", step: "batch"},
			want{arg: tag + "-one", user: w.f.alice, raw: second, job: id + "+1", step: "0", runs: 2},
			want{arg: tag + "-both-0", user: w.f.alice, raw: id, job: id + "+0", step: "1"},
			want{arg: tag + "-both-1", user: w.f.alice, raw: second, job: id + "+1", step: "1"},
			want{arg: tag + "-both-2", user: w.f.alice, raw: second, job: id + "+1", step: "1"},
		)
		w.counts(t, id, map[string]int{"batch": 4, "1": 2})
		w.counts(t, second, map[string]int{"0": 2, "1": 4})
		for _, l := range withTag(lines, tag+"-") {
			if l.HPC.Job.Conflict != "" {
				t.Errorf("%q: the leader's id counts as a conflict: %q", l.Process.Args, l.HPC.Job.Conflict)
			}
		}
	}
}

// overlap starts a step in a job that runs already, from outside of it.
func (w *world) overlap(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
mkfifo over-`+tag+` && : > up-`+tag+`
read line < over-`+tag+`
`, "--chdir="+w.f.alice.home)
	return func(t *testing.T) {
		d, s := w.on(t)
		eventually(t, time.Minute, func() error {
			_, err := os.Stat(w.f.alice.home + "/up-" + tag)
			return err
		})
		srun := as(t, w.f.alice, "srun", "--jobid="+id, "--overlap", "/bin/true", tag)
		srun.Env = append(srun.Env, "SLURM_CONF="+s.conf)
		output(t, srun)
		output(t, as(t, w.f.alice, "sh", "-c", "echo > over-"+tag))
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag, user: w.f.alice, raw: id, step: "0"},
			want{arg: tag, exe: programPath(t, srun.Path), user: w.f.alice}, // the client, which is in no job
		)
		w.counts(t, id, map[string]int{"batch": 2, "0": 1})
	}
}

// programPath is a program's path as the kernel tells it.
func programPath(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var granted = regexp.MustCompile(`Granted job allocation (\d+)`)

// interactive types into the shell that salloc starts on the first node.
func (w *world) interactive(t *testing.T) func(*testing.T) {
	needs(t, "script", "salloc")
	_, s := w.on(t)
	tag := newTag()
	// script(1) has the terminal without which salloc starts no interactive step.
	salloc := as(t, w.f.alice, "script", "--quiet", "--return", "--flush", "--command", "exec salloc --ntasks=1 --job-name="+tag, "/dev/null")
	salloc.Env = append(salloc.Env, "SLURM_CONF="+s.conf, "SHELL=/bin/sh", "TERM=dumb", "PS1=ready-"+tag+" ")
	said := new(logBuffer)
	salloc.Stdout, salloc.Stderr, salloc.WaitDelay = said, said, time.Second
	keys, err := salloc.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := salloc.Start(); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		d, s := w.on(t)
		t.Cleanup(func() { _ = salloc.Process.Kill() }) // where it hangs; it is gone otherwise
		// What is typed before the shell listens is thrown away, and srun would take what is meant for the shell.
		eventually(t, time.Minute, func() error {
			if !strings.Contains(said.String(), "ready-"+tag) {
				return fmt.Errorf("no prompt: %q", said)
			}
			return nil
		})
		fmt.Fprintf(keys, "/bin/true %s-typed\nsrun /bin/true %s-step < /dev/null\nexit 0\n", tag, tag)
		ended := make(chan error, 1)
		go func() { ended <- salloc.Wait() }()
		select {
		case err = <-ended:
		case <-time.After(30 * time.Second):
			t.Fatalf("salloc does not end: %q", said)
		}
		m := granted.FindStringSubmatch(said.String())
		if err != nil || m == nil {
			t.Fatalf("salloc: %v: %q", err, said)
		}
		id := m[1]
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag + "-typed", user: w.f.alice, raw: id, step: "interactive"},
			want{arg: tag + "-step", user: w.f.alice, raw: id, step: "0"},
			want{arg: "--job-name=" + tag, exe: programPath(t, "/usr/bin/salloc"), user: w.f.alice},
		)
		// The shell, what was typed and srun. The srun with which salloc starts the
		// shell has the job's environment, but is in no job.
		w.counts(t, id, map[string]int{"interactive": 3, "0": 1})
	}
}

// requeue: the lives of a requeued job have one id, and are told apart.
func (w *world) requeue(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
/bin/true `+tag+`-life-${SLURM_RESTART_COUNT:-0}
[ -z "$SLURM_RESTART_COUNT" ] || exit 0
scontrol requeue "$SLURM_JOB_ID"
kill -STOP $$ # until the job is killed: a program begun here may come too late to run
`, "--requeue")
	return func(t *testing.T) {
		d, s := w.on(t)
		s.wait(id)
		var lines []line
		eventually(t, time.Minute, func() error {
			lines = w.lines(t)
			if n := len(summaries(lines, id)); n != 2 {
				return fmt.Errorf("%d procmon.job lines of job %s, want 2", n, id)
			}
			return nil
		})
		d.expect(lines, s.cluster,
			want{arg: tag + "-life-0", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-life-1", user: w.f.alice, raw: id, step: "batch"},
		)
		// The script, a program and scontrol; the script and a program.
		w.counts(t, id, map[string]int{"batch": 5})
		for life, want := range []int{3, 2} {
			n := d.count("SELECT count(*) FROM runs WHERE raw_job_id = ? AND cluster = ? AND ifnull(restart, 0) = ?", id, s.cluster, life)
			if w.exact && n != want {
				t.Errorf("%d runs in life %d of job %s, want %d", n, life, id, want)
			}
			if l := summaries(lines, id)[life]; l.HPC.Runs != n {
				t.Errorf("the summary of life %d has %d runs, the index %d", life, l.HPC.Runs, n)
			}
		}
	}
}
