package integration

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// TestIntegrationSlurmWithoutCgroups: where Slurm has process groups only, the
// root-owned slurmstepd above a process tells the job and the step, whatever
// the environment says, as long as it is there: a step that is over at once may
// be known by its environment only. What left its process group and its parent
// is in the job of the run that it came from, and outlives it.
func TestIntegrationSlurmWithoutCgroups(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch")
	source := f.best(t)
	d := startDaemon(t, f, "--source", string(source))
	s := startSlurm(t, f, 3, d.jobs, "SLURM_PRIVATE_CGROUP=none")
	w := &world{f: f, d: d, s: s, exact: source.exact()}
	tag := newTag()
	id := s.submit(f.alice, `#!/bin/sh
/bin/true `+tag+`-plain
env -i /bin/true `+tag+`-empty
env -i setsid /bin/true `+tag+`-session
SLURM_JOB_ID=77777 SLURM_JOBID=77777 /bin/true `+tag+`-forged
mkfifo over-`+tag+`
(setsid env -i /bin/sh -c 'read line < over-`+tag+`; /bin/true `+tag+`-survivor; : > done-`+tag+`' < /dev/null > /dev/null 2>&1 &)
srun sh -c '/bin/true `+tag+`-step; sleep 1'
`, "--nodes=3", "--ntasks=3", "--chdir="+f.alice.home)
	s.wait(id)
	eventually(t, time.Minute, func() error { // until the daemon knows that the job is over
		d.flush()
		if len(summaries(readLines(t, d.lines), id)) == 0 {
			return errors.New("no procmon.job line")
		}
		return nil
	})
	output(t, as(t, f.alice, "sh", "-c", "echo > over-"+tag))
	eventually(t, time.Minute, func() error {
		_, err := os.Stat(f.alice.home + "/done-" + tag)
		return err
	})
	d.flush()
	lines := readLines(t, d.lines)
	d.expect(lines, s.cluster,
		want{arg: tag + "-plain", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-empty", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-session", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-forged", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-survivor", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-step", user: f.alice, raw: id, step: "0", runs: 3},
	)
	// Programs that another one replaced are runs too.
	w.counts(t, id, map[string]int{"batch": 14, "0": 9})
	for _, l := range withTag(lines, tag+"-") {
		if e := l.HPC.Job.Evidence; l.HPC.Job.RawID != "" && e != "ancestor" && e != "parent" {
			t.Errorf("%q was found to be in its job by %q, want ancestor or parent", l.Process.Args, e)
		}
	}
	for _, l := range withArg(lines, tag+"-survivor") {
		if !strings.Contains(l.HPC.Job.Conflict, "ended") {
			t.Errorf("what outlived its job is not told as such: %q", l.HPC.Job.Conflict)
		}
	}
}
