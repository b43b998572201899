package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hooked is a Slurm of one node whose hooks are watched, and a daemon that they
// write for. Its jobs directory lies in a small file system.
type hooked struct {
	*slurm
	f     *fixture
	d     *daemon
	small string // the file system
	ran   string // a line for each hook that ran: job, hook, exit status, times
}

func startHooked(t *testing.T) *hooked {
	t.Helper()
	f := setUp(t)
	needs(t, "slurmctld", "slurmd", "munged", "sbatch", "setpriv")
	d := newDaemon(t, f)
	h := &hooked{f: f, d: d, small: mount(t, d, "size=1m"), ran: d.dir + "/hooks.ran"}
	d.jobs = h.small + "/jobs"
	if err := os.Mkdir(d.jobs, 0o755); err != nil {
		t.Fatal(err)
	}
	d.program = d.dir + "/procmond" // of its own: it will be missing
	output(t, exec.CommandContext(t.Context(), "cp", f.program("procmond"), d.program))
	hooks := d.dir + "/hooks"
	if err := os.Mkdir(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"prolog", "epilog"} {
		script := fmt.Sprintf("#!/bin/sh\nread -r from _ </proc/uptime\n/bin/sh '%s/contrib/slurm/%s.sh'\ncode=$?\nread -r to _ </proc/uptime\n"+
			"echo \"$SLURM_JOB_ID %s $code $from $to\" >>'%s'\nexit $code\n", f.tree, kind, kind, h.ran)
		if err := os.WriteFile(hooks+"/"+kind+".sh", []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.slurm = startSlurm(t, f, 1, d.jobs, "SLURM_PRIVATE_HOOKS="+hooks)
	d.start()
	return h
}

// completes runs a job. It must complete, each hook must have ended with 0, and
// the node must be one that takes jobs.
func (h *hooked) completes(t *testing.T, script string) (id string) {
	t.Helper()
	h.slurm.t = t
	id = h.submit(h.f.alice, script)
	h.wait(id)
	for _, kind := range []string{"prolog", "epilog"} {
		eventually(t, 30*time.Second, func() error { return h.succeeded(t, id, kind) })
	}
	cmd := exec.CommandContext(t.Context(), "scontrol", "show", "node", "-o", h.nodes[0])
	cmd.Env = append(os.Environ(), "SLURM_CONF="+h.conf)
	node := output(t, cmd)
	_, state, _ := strings.Cut(node, " State=")
	if state, _, _ = strings.Cut(state, " "); strings.Contains(state, "DRAIN") || strings.Contains(state, "DOWN") || state == "" {
		t.Errorf("the node is %q after job %s:\n%s", state, id, node)
	}
	return id
}

// succeeded says why a hook of a job has not succeeded. Its time is told, not
// judged: the machine may be busy.
func (h *hooked) succeeded(t *testing.T, id, kind string) error {
	text, err := os.ReadFile(h.ran)
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(text)) {
		w := strings.Fields(l)
		if len(w) != 5 || w[0] != id || w[1] != kind {
			continue
		}
		if w[2] != "0" {
			t.Fatalf("the %s of job %s ended with %s", kind, id, w[2])
		}
		from, err1 := strconv.ParseFloat(w[3], 64)
		to, err2 := strconv.ParseFloat(w[4], 64)
		t.Logf("%s of job %s: %.0f ms", kind, id, 1000*(to-from))
		return errors.Join(err1, err2)
	}
	return fmt.Errorf("the %s of job %s has not ended", kind, id)
}

// told waits for a job's summary.
func (h *hooked) told(t *testing.T, id string) line {
	t.Helper()
	var found []line
	eventually(t, time.Minute, func() error {
		if found = summaries(readLines(t, h.d.lines), id); len(found) == 0 {
			return fmt.Errorf("no summary of job %s", id)
		}
		return nil
	})
	if len(found) > 1 || found[0].HPC.Job.User != h.f.alice.name {
		t.Errorf("%d summaries of job %s: %+v", len(found), id, found)
	}
	return found[0]
}

const smallJob = "#!/bin/sh\nsrun /bin/true\n"

// TestIntegrationHooksUnderFaults damages what the hooks and the daemon need,
// while jobs run on a real Slurm.
func TestIntegrationHooksUnderFaults(t *testing.T) {
	h := startHooked(t)
	d := h.d
	t.Run("daemon stopped and its program missing", func(t *testing.T) {
		d.stop()
		rename(t, d.program, d.program+".away")
		id := h.completes(t, smallJob)
		rename(t, d.program+".away", d.program)
		d.start()
		h.told(t, id)
	})
	t.Run("daemon hung", func(t *testing.T) {
		send(t, d, syscall.SIGSTOP)
		t.Cleanup(func() { send(t, d, syscall.SIGCONT) })
		id := h.completes(t, smallJob)
		send(t, d, syscall.SIGCONT)
		h.told(t, id)
	})
	t.Run("index locked", func(t *testing.T) {
		free := lockIndex(t, d)
		id := h.completes(t, smallJob)
		free()
		h.told(t, id)
	})
	t.Run("disk full", func(t *testing.T) {
		fill(t, h.small)
		h.completes(t, smallJob)
		if err := os.Remove(h.small + "/filler"); err != nil {
			t.Fatal(err)
		}
		h.told(t, h.completes(t, smallJob))
	})
	t.Run("jobs directory missing", func(t *testing.T) {
		if err := os.RemoveAll(d.jobs); err != nil {
			t.Fatal(err)
		}
		h.told(t, h.completes(t, smallJob))
	})
	t.Run("no directory", func(t *testing.T) {
		rename(t, d.jobs, d.jobs+".away")
		if err := os.WriteFile(d.jobs, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		h.completes(t, smallJob)
		if err := os.Remove(d.jobs); err != nil {
			t.Fatal(err)
		}
		rename(t, d.jobs+".away", d.jobs)
		h.told(t, h.completes(t, smallJob))
	})
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, d *daemon, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// lockIndex keeps everybody else from writing the index until free is called.
func lockIndex(t *testing.T, d *daemon) (free func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", d.index+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// TestIntegrationJobSummary holds a job's summary to what the job did.
func TestIntegrationJobSummary(t *testing.T) {
	h := startHooked(t)
	t.Run("exits and CPU time", func(t *testing.T) {
		l := h.told(t, h.completes(t, `#!/bin/sh
for code in 3 3 3 4; do sh -c "exit $code"; done
sh -c 'kill -KILL $$'
timeout 5 sh -c 'while :; do :; done'
exit 0
`)).HPC
		exits := map[string]int{}
		for _, x := range l.Exits {
			switch {
			case x.Code != nil:
				exits["code "+strconv.Itoa(*x.Code)] += x.Runs
			case x.Signal != nil:
				exits["signal "+strconv.Itoa(*x.Signal)] += x.Runs
			}
		}
		// 124 is timeout's, and SIGTERM what it sent.
		for way, n := range map[string]int{"code 3": 3, "code 4": 1, "signal 9": 1, "code 124": 1, "signal 15": 1} {
			if exits[way] != n {
				t.Errorf("%d runs ended with %s, want %d: %v", exits[way], way, n, exits)
			}
		}
		if l.Surviving != 0 || len(l.Survivors) != 0 {
			t.Errorf("%d survivors: %+v", l.Surviving, l.Survivors)
		}
		if h.cgroup == "none" {
			return
		}
		counted, runs := time.Duration(l.Job.CgroupCPU), time.Duration(l.Usage.User+l.Usage.System)
		unread := l.Job.End.Sub(l.Job.CgroupUntil)
		t.Logf("the cgroup counted %v until %v before the end, the runs sum up to %v", counted, unread, runs)
		// Processes are the only ones to use CPU time in it, one at a time.
		if l.Job.CgroupUntil.IsZero() || counted < runs-max(0, unread)-time.Second || counted > runs+time.Second {
			t.Errorf("the cgroup counted %v until %v before the end, but the runs sum up to %v", counted, unread, runs)
		}
	})
	t.Run("a restart of the daemon", func(t *testing.T) {
		if h.cgroup == "none" {
			t.Skip("nothing counts CPU time without cgroups")
		}
		begun := h.f.alice.home + "/" + newTag()
		h.slurm.t = t
		id := h.submit(h.f.alice, "#!/bin/sh\ntimeout 6 sh -c 'echo >"+begun+"; while :; do :; done'\nexit 0\n")
		eventually(t, 30*time.Second, func() error { _, err := os.Stat(begun); return err })
		h.d.stop()
		h.d.start() // what the job's one cgroup counts is found by a run of before
		h.wait(id)
		l := h.told(t, id).HPC
		if l.Job.CgroupUntil.IsZero() || l.Job.CgroupCPU <= 0 {
			t.Errorf("nothing is told of the cgroup: %+v", l.Job)
		}
	})
	t.Run("survivors", func(t *testing.T) {
		if h.cgroup != "v1" {
			t.Skip("what outlives a job's end can be made on cgroup v1 only")
		}
		tag := newTag()
		id := h.completes(t, "#!/bin/sh\ntag="+tag+"\n"+outlive)
		l := h.told(t, id).HPC
		if l.Surviving < 1 || len(l.Survivors) < 1 || l.Survivors[0].Name != "sh" {
			t.Fatalf("%d survivors, %+v; want a shell and what it runs", l.Surviving, l.Survivors)
		}
		shell, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", l.Survivors[0].PID))
		if err != nil || string(shell) != "sh\n" {
			t.Errorf("pid %d is %q, %v; want the shell", l.Survivors[0].PID, shell, err)
		}
		// What it starts from now on is known to have outlived the job.
		eventually(t, 30*time.Second, func() error {
			for _, one := range withArg(readLines(t, h.d.lines), tag) {
				if job := one.HPC.Job; job.Conflict == "facts say it has ended" && job.RawID == id && job.User == h.f.alice.name {
					return nil
				}
			}
			return errors.New("no run is said to have outlived the job")
		})
	})
}

// outlive is the part of a batch script that leaves a process behind, where a
// user can: cgroup v1 lets them make cgroups that the kill at the end misses.
const outlive = `at=/sys/fs/cgroup/freezer$(sed -n 's/^[0-9]*:freezer://p' /proc/self/cgroup)
if mkdir "$at/mine" 2>/dev/null; then
	setsid sh -c "while sleep 1; do /bin/true $tag; done" </dev/null >/dev/null 2>&1 &
	echo $! >"$at/mine/cgroup.procs"
fi`
