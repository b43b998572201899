package integration

import (
	"testing"
)

// TestIntegrationSlurmWithoutCgroups: where Slurm has no cgroups, the
// root-owned slurmstepd above a process tells the job and the step, whatever
// the environment says, as long as it is there: a step that is over at once may
// be known by its environment only.
func TestIntegrationSlurmWithoutCgroups(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch")
	d := startDaemon(t, f)
	s := startSlurm(t, f, 1, d.jobs, "SLURM_PRIVATE_CGROUP=none")
	tag := newTag()
	id := s.submit(f.alice, `#!/bin/sh
/bin/true `+tag+`-plain
env -i /bin/true `+tag+`-empty
SLURM_JOB_ID=77777 SLURM_JOBID=77777 /bin/true `+tag+`-forged
srun sh -c '/bin/true `+tag+`-step; sleep 1'
`)
	s.wait(id)
	d.flush()
	lines := readLines(t, d.lines)
	d.expect(lines, s.cluster,
		want{arg: tag + "-plain", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-empty", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-forged", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-step", user: f.alice, raw: id, step: "0"},
	)
	for _, l := range withTag(lines, tag) {
		if e := l.HPC.Job.Evidence; e != "ancestor" && e != "parent" {
			t.Errorf("%q was found to be in its job by %q, want ancestor or parent", l.Process.Args, e)
		}
	}
}
