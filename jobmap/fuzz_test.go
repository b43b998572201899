package jobmap

import (
	"strings"
	"testing"

	"procmon"
)

// FuzzCgroup holds the parsers of cgroup paths to what a path must have: the
// job that it names stands in it, below a directory that only root can make.
func FuzzCgroup(f *testing.F) {
	for _, path := range []string{
		"/slurm_n1/uid_1001/job_39/step_batch/job_999/step_7/task_0",
		"/system.slice/m1_slurmstepd.scope/sE7DM81482K400/step_0/user/task_special (deleted)",
		"/user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_999/step_0/user/task_0",
		"/../../slurm/uid_0/job_1", "/pbs_jobs.service/jobid/2[3].pbsvm", `/pbspro.slice/pbspro-2\x5b3\x5d.a\x2db.slice`, "/torque/1.a/R0.t1",
	} {
		f.Add(path, "freezer", "a-b.slice")
		f.Add(path, "", "/x")
	}
	f.Fuzz(func(t *testing.T, path, controllers, slice string) {
		c := procmon.Cgroup{Controllers: controllers, Path: path}
		if controllers != "" {
			c.Hierarchy = 1
		}
		at := siteRules{slice: slicePath(slice), minUID: 1000}
		cl, _, ok := at.claim([]procmon.Cgroup{c})
		if !ok {
			return
		}
		if cl.none() || strings.Contains(cl.rawID+cl.sluid+cl.step+cl.task, "/") {
			t.Errorf("%q gives %+v", path, cl)
		}
		if strings.HasPrefix(path, "/user.slice/user-1001") && !strings.HasPrefix(slice, "/") {
			t.Errorf("%q is a user's and gives %+v", path, cl)
		}
		if cl.rawID != "" && !strings.Contains(path, `\x`) && !strings.Contains(path, cl.rawID) {
			t.Errorf("%q gives id %q", path, cl.rawID)
		}
	})
}

// FuzzJob gives a mapper anything that a user can make.
func FuzzJob(f *testing.F) {
	f.Add([]byte("SLURM_JOB_ID=5\x00SLURM_ARRAY_JOB_ID=4\x00SLURM_ARRAY_TASK_ID=5\x00"), []byte("slurmstepd: [5.0]"), "/slurm/uid_1001/job_5/step_0", "5")
	f.Add([]byte("PBS_JOBID=2[3].srv\x00PBS_NP"), []byte("slurmstepd: [1.ba d"), "/pbs_jobs.service/jobid/2[3].srv", "")
	f.Fuzz(func(t *testing.T, env, title []byte, path, parent string) {
		p := procmon.Process{
			UID: 1001, Env: env, Cgroups: []procmon.Cgroup{{Hierarchy: 1, Controllers: "memory", Path: path}, {Path: path}},
			Ancestors: []procmon.Ancestor{{Comm: "slurmstepd", Args: title}},
		}
		m := New(Config{Facts: withFacts(&job7)})
		j := m.Job(&p, procmon.Job{Scheduler: "slurm", RawID: parent, ID: parent, Evidence: procmon.EvidenceParent})
		for _, s := range []string{j.Cluster, j.ID, j.Step, j.Task, j.User, j.Account, j.Partition, j.Name, j.Conflict} {
			if strings.ContainsAny(strings.ReplaceAll(s, parent, ""), "\x00\n\x1b") {
				t.Errorf("a field holds %q", s)
			}
		}
		if !j.None() && j.Evidence == procmon.EvidenceNone {
			t.Errorf("job without evidence: %+v", j)
		}
		if again := m.Job(&p, procmon.Job{Scheduler: "slurm", RawID: parent, ID: parent, Evidence: procmon.EvidenceParent}); again != j {
			t.Errorf("mapped twice: %+v, then %+v", j, again)
		}
	})
}
