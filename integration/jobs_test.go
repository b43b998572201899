package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationSlurmJobs runs jobs on a Slurm of three nodes while a daemon
// looks, and compares what was started with the index, with the JSON lines that
// came through rsyslogd, and with Slurm's own record of its jobs. All jobs are
// handed in at once: a job takes seconds of which the machine works little.
func TestIntegrationSlurmJobs(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch", "rsyslogd")
	log := startRsyslog(t, f)
	source := f.best(t)
	d := newDaemon(t, f, "--syslog-address", "unix:"+log.socket, "--source", string(source))
	d.lines = log.file
	d.start()
	w := &world{f: f, d: d, s: startSlurm(t, f, 3, d.jobs), log: log, exact: source.exact()}

	cases := []struct {
		name   string
		start  func(*testing.T) func(*testing.T)
		finish func(*testing.T)
	}{
		{name: "interactive step", start: w.interactive},
		{name: "requeue", start: w.requeue},
		{name: "steps on three nodes", start: w.steps},
		{name: "array", start: w.array},
		{name: "heterogeneous job", start: w.heterogeneous},
		{name: "empty and forged environment", start: w.environment},
		{name: "daemonised child", start: w.daemonised},
		{name: "survivor of its step", start: w.survivor},
		{name: "python pool", start: w.pool},
		{name: "two users on one node", start: w.twoUsers},
		{name: "step from outside", start: w.overlap},
		{name: "who is recorded", start: w.recorded},
	}
	for i := range cases {
		cases[i].finish = cases[i].start(t)
	}
	for _, c := range slices.Backward(cases) { // a requeued job takes longest; salloc that had to queue waits half a minute
		t.Run(c.name, c.finish)
	}
	t.Run("rsyslogd killed and restarted", w.restartedLog)
	t.Run("nothing twice, nothing lost", w.agree)
}

// world is what the parts of the test share.
type world struct {
	f     *fixture
	d     *daemon
	s     *slurm
	log   *rsyslog
	exact bool // the daemon's source misses nothing
}

// on gives the daemon and the Slurm for a subtest's own messages.
func (w *world) on(t *testing.T) (*daemon, *slurm) {
	d, s := *w.d, *w.s
	d.t, s.t = t, t
	return &d, &s
}

// settle waits for the jobs, checks them against Slurm's own record and their
// summaries, and gives Slurm's records of them and all lines.
func (w *world) settle(t *testing.T, user account, ids ...string) (map[string]completed, []line) {
	t.Helper()
	d, s := w.on(t)
	jobs := s.wait(ids...)
	for _, id := range ids {
		j := jobs[id]
		if j.User != user.name || j.UID != strconv.Itoa(int(user.uid)) {
			t.Errorf("job %s is of %s(%s) for Slurm, not of %s(%d)", id, j.User, j.UID, user.name, user.uid)
		}
	}
	for raw, j := range jobs {
		if !contains(ids, raw) && !contains(ids, j.ArrayJob) {
			delete(jobs, raw)
		}
	}
	var lines []line
	eventually(t, time.Minute, func() error {
		lines = w.lines(t)
		for raw := range jobs {
			if len(summaries(lines, raw)) == 0 {
				return fmt.Errorf("no procmon.job line of job %s", raw)
			}
		}
		return nil
	})
	for raw, j := range jobs {
		w.summary(t, d, lines, raw, j)
	}
	return jobs, lines
}

func summaries(lines []line, raw string) []line {
	return pick(lines, "procmon.job", func(l *line) bool { return l.HPC.Job.RawID == raw })
}

func contains(ids []string, id string) bool {
	for _, i := range ids {
		if i == id && id != "" {
			return true
		}
	}
	return false
}

// lines flushes the daemon and reads what rsyslogd wrote, up to the last line.
func (w *world) lines(t *testing.T) []line {
	t.Helper()
	d, _ := w.on(t)
	d.flush()
	marker := newTag()
	output(t, as(t, w.f.alice, "/bin/true", marker))
	d.flush()
	var lines []line
	eventually(t, 20*time.Second, func() error {
		if text, _ := os.ReadFile(w.log.file); !strings.Contains(string(text), marker) || text[len(text)-1] != '\n' {
			return fmt.Errorf("rsyslogd has not written the line of %s", marker)
		}
		lines = readLines(t, w.log.file)
		return nil
	})
	return lines
}

// summary checks a job's procmon.job line. It must tell of the same job and
// add up to what the index and the run lines hold.
func (w *world) summary(t *testing.T, d *daemon, lines []line, raw string, j completed) {
	t.Helper()
	found := summaries(lines, raw)
	if len(found) != 1 {
		t.Errorf("job %s has %d procmon.job lines, want 1", raw, len(found))
	}
	l := found[0]
	if l.HPC.Job.User != j.User || l.HPC.Job.Cluster != w.s.cluster || l.HPC.Job.Evidence != "facts" {
		t.Errorf("procmon.job of %s: user %q cluster %q evidence %q; want %q %q facts", raw,
			l.HPC.Job.User, l.HPC.Job.Cluster, l.HPC.Job.Evidence, j.User, w.s.cluster)
	}
	if l.HPC.Job.Start.IsZero() || l.HPC.Job.End.Before(l.HPC.Job.Start) {
		t.Errorf("procmon.job of %s: from %v to %v", raw, l.HPC.Job.Start, l.HPC.Job.End)
	}
	inIndex := d.count("SELECT count(*) FROM runs WHERE raw_job_id = ? AND cluster = ?", raw, w.s.cluster)
	inLines := len(pick(lines, "procmon.run", func(l *line) bool { return l.starts() && l.HPC.Job.RawID == raw && l.HPC.Job.Cluster == w.s.cluster }))
	sum := 0
	for _, a := range l.HPC.Applications {
		sum += a.Runs
	}
	if l.HPC.Runs != inIndex || inLines != inIndex || sum != inIndex || inIndex == 0 {
		t.Errorf("job %s: %d runs in its summary, %d in the summary's applications, %d in the lines, %d in the index", raw, l.HPC.Runs, sum, inLines, inIndex)
	}
}

// counts checks how many runs of a job the index has, by step.
func (w *world) counts(t *testing.T, raw string, want map[string]int) {
	t.Helper()
	d, s := w.on(t)
	if !w.exact {
		t.Logf("the runs of job %s are not counted: this source can miss some", raw)
		return
	}
	got := map[string]int{}
	d.query(`SELECT ifnull(step_id,''), count(*) FROM runs WHERE raw_job_id = ? AND cluster = ? GROUP BY 1`, []any{raw, s.cluster},
		func(scan func(...any) error) error {
			var step string
			var n int
			err := scan(&step, &n)
			got[step] = n
			return err
		})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs of job %s by step, started (-) and recorded (+):\n%s", raw, diff)
	}
}

func (w *world) steps(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
/bin/true `+tag+`-batch
srun --nodes=1 --ntasks=1 /bin/true `+tag+`-first
srun --nodes=3 --ntasks=3 sh -c '/bin/true `+tag+`-second; /bin/true `+tag+`-second-$SLURM_PROCID; exit 0'
i=0
while [ $i -lt 100 ]; do /bin/true; i=$((i + 1)); done
/bin/true `+tag+`-after
`, "--nodes=3", "--ntasks=3")
	return func(t *testing.T) {
		d, s := w.on(t)
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag + "-batch", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-first", user: w.f.alice, raw: id, step: "0"},
			want{arg: tag + "-second", user: w.f.alice, raw: id, step: "1", runs: 3},
			want{arg: tag + "-second-0", user: w.f.alice, raw: id, step: "1"},
			want{arg: tag + "-second-1", user: w.f.alice, raw: id, step: "1"},
			want{arg: tag + "-second-2", user: w.f.alice, raw: id, step: "1"},
			want{arg: tag + "-after", user: w.f.alice, raw: id, step: "batch"},
		)
		// The script, two sruns, 102 programs; three tasks of a shell and two programs.
		w.counts(t, id, map[string]int{"batch": 105, "0": 1, "1": 9})
	}
}

func (w *world) array(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
/bin/true `+tag+`-t$SLURM_ARRAY_TASK_ID
srun /bin/true `+tag+`-s$SLURM_ARRAY_TASK_ID
`, "--array=1-4", "--ntasks=1")
	return func(t *testing.T) {
		d, s := w.on(t)
		jobs, lines := w.settle(t, w.f.alice, id)
		tasks := 0
		for raw, j := range jobs {
			if j.ArrayJob != id {
				continue
			}
			tasks++
			d.expect(lines, s.cluster,
				want{arg: tag + "-t" + j.ArrayTask, user: w.f.alice, raw: raw, job: j.ID(), step: "batch"},
				want{arg: tag + "-s" + j.ArrayTask, user: w.f.alice, raw: raw, job: j.ID(), step: "0"},
			)
			w.counts(t, raw, map[string]int{"batch": 3, "0": 1})
		}
		if tasks != 4 {
			t.Errorf("Slurm records %d tasks of the array, want 4", tasks)
		}
	}
}

func (w *world) environment(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	id := s.submit(w.f.alice, `#!/bin/sh
env -i /bin/true `+tag+`-empty
env -i /bin/sh -c '/bin/true `+tag+`-child; exit 0'
env -i setsid /bin/true `+tag+`-session
SLURM_JOB_ID=77777 SLURM_JOBID=77777 /bin/true `+tag+`-forged
srun env -i /bin/true `+tag+`-step
`)
	return func(t *testing.T) {
		d, s := w.on(t)
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag + "-empty", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-session", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-child", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-forged", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-step", user: w.f.alice, raw: id, step: "0"},
		)
		// env, setsid and sh are replaced by what they start, which are runs too.
		w.counts(t, id, map[string]int{"batch": 11, "0": 2})
		for _, l := range withArg(lines, tag+"-forged") {
			if !strings.Contains(l.HPC.Job.Conflict, "77777") {
				t.Errorf("the forged id is not told as a conflict: %q", l.HPC.Job.Conflict)
			}
		}
	}
}

func (w *world) daemonised(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	// The task ends at once; its grandchild, in a session of its own and with
	// init as its parent, goes on in the step until Slurm ends that.
	id := s.submit(w.f.alice, `#!/bin/sh
mkfifo done-`+tag+`
(setsid sh -c '(/bin/true `+tag+`-detached; env -i /bin/true `+tag+`-detached-empty; echo > done-`+tag+`) &' &)
read line < done-`+tag+`
`, "--chdir="+w.f.alice.home)
	return func(t *testing.T) {
		d, s := w.on(t)
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag + "-detached", user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-detached-empty", user: w.f.alice, raw: id, step: "batch"},
		)
		w.counts(t, id, map[string]int{"batch": 7})
	}
}

// survivor: on cgroup v1 the step's freezer directory belongs to the user. A
// process that moves itself further down is not killed with the step.
func (w *world) survivor(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	if s.cgroup != "v1" {
		t.Skipf("on cgroup %s Slurm kills whatever is left of a step", s.cgroup)
	}
	tag := newTag()
	w.f.alice.write(t, tag+"-survive.sh", `#!/bin/sh
dir=/sys/fs/cgroup/freezer$(sed -n 's/^[0-9]*:freezer://p' /proc/self/cgroup)/job_999
mkdir "$dir" && echo $$ > "$dir/cgroup.procs" || exit 1
setsid sh -c 'echo > up-`+tag+`; read line < over-`+tag+`; /bin/true `+tag+`-survivor; echo > done-`+tag+`' < /dev/null > /dev/null 2>&1 &
read line < up-`+tag+`
`)
	id := s.submit(w.f.alice, `#!/bin/sh
mkfifo up-`+tag+` over-`+tag+` done-`+tag+`
srun sh `+tag+`-survive.sh
echo > over-`+tag+`
read line < done-`+tag+`
srun /bin/true `+tag+`-later
`, "--chdir="+w.f.alice.home)
	return func(t *testing.T) {
		d, s := w.on(t)
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster,
			want{arg: tag + "-survivor", user: w.f.alice, raw: id, step: "0"},
			want{arg: tag + "-later", user: w.f.alice, raw: id, step: "1"},
		)
		w.counts(t, id, map[string]int{"batch": 4, "0": 6, "1": 1})
	}
}

const poolProgram = `import multiprocessing, os, resource, sys, time

def work(n):
    end = time.process_time() + 0.3
    while time.process_time() < end:
        n = n * n % 1000003
    return n

if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool:
        pool.map(work, range(4), chunksize=1)
        pool.close()
        pool.join()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open(sys.argv[1] + ".cpu", "w") as f:
        f.write(str(sum(u.ru_utime + u.ru_stime for u in used)))
`

func (w *world) pool(t *testing.T) func(*testing.T) {
	needs(t, "/usr/bin/python3")
	_, s := w.on(t)
	tag := newTag()
	w.f.alice.write(t, tag+".py", poolProgram)
	id := s.submit(w.f.alice, "#!/bin/sh\n/usr/bin/python3 "+tag+".py "+tag+"-pool\n", "--ntasks=2", "--chdir="+w.f.alice.home)
	return func(t *testing.T) {
		d, s := w.on(t)
		_, lines := w.settle(t, w.f.alice, id)
		d.expect(lines, s.cluster, want{arg: tag + "-pool", exe: "*", user: w.f.alice, raw: id, step: "batch"})
		w.counts(t, id, map[string]int{"batch": 2}) // the workers are of their parent's run

		text, err := os.ReadFile(w.f.alice.home + "/" + tag + "-pool.cpu")
		if err != nil {
			t.Fatal(err)
		}
		used, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			t.Fatal(err)
		}
		// The program asked before its own end, so it used a little more.
		for _, r := range d.rows(tag + "-pool") {
			if r.CPU < used*0.95 || r.CPU > used*1.5+0.2 {
				t.Errorf("the pool used %.2f s of CPU, the index has %.2f s", used, r.CPU)
			}
		}
		var apps []string
		for _, l := range summaries(lines, id) {
			for _, a := range l.HPC.Applications {
				apps = append(apps, a.Name)
			}
		}
		if !strings.Contains(strings.ToLower(strings.Join(apps, ",")), "python") {
			t.Errorf("the job's summary names %q, and not Python", apps)
		}
	}
}

// restartedLog: what is sent while rsyslogd is dead arrives when it is back.
func (w *world) restartedLog(t *testing.T) {
	d, s := w.on(t)
	tag := newTag()
	w.log.end(syscall.SIGKILL)
	id := s.submit(w.f.alice, "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do /bin/true "+tag+"-dead-$i; done\n")
	s.wait(id)
	w.log.t = t
	w.log.start()
	_, lines := w.settle(t, w.f.alice, id)
	for i := range 9 {
		d.expect(lines, s.cluster, want{arg: fmt.Sprintf("%s-dead-%d", tag, i+1), user: w.f.alice, raw: id, step: "batch"})
	}
}

// agree compares both stores as wholes: the same runs of our users are in both,
// and nothing was lost.
func (w *world) agree(t *testing.T) {
	d, _ := w.on(t)
	lines := w.lines(t)
	users := map[string]bool{w.f.alice.name: true, w.f.bob.name: true, w.f.svc.name: true}
	inLines, inIndex := map[string]int{}, map[string]int{}
	for _, l := range pick(lines, "procmon.run", func(l *line) bool { return l.starts() && users[l.User.Name] }) {
		inLines[l.User.Name+" "+l.HPC.Job.ID+" "+l.HPC.Job.Step+" "+l.Process.Executable]++
	}
	d.query(`SELECT ifnull(user,''), ifnull(job_id,''), ifnull(step_id,''), ifnull(executable,'') FROM runs`, nil, func(scan func(...any) error) error {
		var user, job, step, exe string
		err := scan(&user, &job, &step, &exe)
		if users[user] {
			inIndex[user+" "+job+" "+step+" "+exe]++
		}
		return err
	})
	if diff := cmp.Diff(inLines, inIndex); diff != "" {
		t.Errorf("runs in the lines (-) and in the index (+) differ:\n%s", diff)
	}
	for _, l := range pick(lines, "procmon.loss", func(*line) bool { return true }) {
		t.Logf("lost: %d %s (%s)", l.HPC.Loss.Count, l.HPC.Loss.Reason, l.HPC.Loss.Where)
	}
}
