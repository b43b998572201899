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
		"/ocs8012.slice/ocs8012-jobs.slice/ocs8012-jobs-12.3.slice/ocs8012.12.3.1.n2.scope", "/htcondor/_var_lib_condor_execute_slot1_1@n1/sshd",
		"/system.slice/htcondor/condor_x_slot1", "/user.slice/user-490.slice/user@490.service/app.slice/imp-shell-0-fTE9HHdZvi3.service",
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
		if cl.rawID != "" && !schedulers[cl.scheduler].isID(cl.rawID) {
			t.Errorf("%q gives the id %q", path, cl.rawID)
		}
		if cl.rawID != "" && !strings.Contains(path, `\x`) && !strings.Contains(path, cl.rawID) {
			t.Errorf("%q gives id %q", path, cl.rawID)
		}
	})
}

// FuzzJob gives a mapper anything that a user can make.
func FuzzJob(f *testing.F) {
	f.Add([]byte("SLURM_JOB_ID=5\x00SLURM_ARRAY_JOB_ID=4\x00SLURM_ARRAY_TASK_ID=5\x00"), []byte("slurmstepd: [5.0]"), "/slurm/uid_1001/job_5/step_0", "5")
	f.Add([]byte("JOB_ID=12\x00SGE_TASK_ID=3\x00SGE_ROOT=/x\x00"), []byte("sge_shepherd-12 -bg"), "/o.slice/o-jobs.slice/o.12.scope", "12.3")
	f.Add([]byte("LSB_JOBID=12\x00LSB_JOBINDEX=3\x00LSB_BATCH_JID=12[3]\x00"), []byte("condor_starter\x00-a\x00slot1_1\x00x"), "/htcondor/_x_slot1_1@n1", "")
	f.Add([]byte("FLUX_JOB_ID=ƒDCB6RV\x00FLUX_JOB_ID_PATH=/ƒD2e73NP/ƒDCB6RV\x00FLUX_ENCLOSING_ID=f1"), []byte(""), "/user.slice/user-490.slice/user@490.service/shell-0-fD2e73NP.service", "")
	f.Add([]byte("PBS_JOBID=2[3].srv\x00PBS_NP"), []byte("slurmstepd: [1.ba d"), "/pbs_jobs.service/jobid/2[3].srv", "")
	f.Fuzz(func(t *testing.T, env, title []byte, path, parent string) {
		p := procmon.Process{
			UID: 1001, Env: env, Cgroups: []procmon.Cgroup{{Hierarchy: 1, Controllers: "memory", Path: path}, {Path: path}},
			Ancestors: []procmon.Ancestor{{Comm: "slurmstepd", Args: title}, {Comm: "sge_shepherd", Args: title}, {Comm: "condor_starter", Args: title}},
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
		if !j.None() && j.RawID != parent && j.RawID != "" && !schedulers[schedulerIndex(j.Scheduler)].isID(j.RawID) {
			t.Errorf("raw id %q of %s", j.RawID, j.Scheduler)
		}
		if explained, _ := m.Explain(&p, procmon.Job{Scheduler: "slurm", RawID: parent, ID: parent, Evidence: procmon.EvidenceParent}); explained != j {
			t.Errorf("explained as %+v, mapped as %+v", explained, j)
		}
		if again := m.Job(&p, procmon.Job{Scheduler: "slurm", RawID: parent, ID: parent, Evidence: procmon.EvidenceParent}); again != j {
			t.Errorf("mapped twice: %+v, then %+v", j, again)
		}
	})
}

// FuzzJobAd gives the reader of job ads anything: it is a root-owned file, but
// users choose most of what is in it.
func FuzzJobAd(f *testing.F) {
	f.Add([]byte(adText))
	f.Add([]byte("ClusterId=1\nProcId = 0\nOwner = \"a\\\"b\"\nGlobalJobId = \"s#1.0#1\""))
	f.Fuzz(func(t *testing.T, ad []byte) {
		facts := parseJobAd(ad)
		if facts == nil {
			return
		}
		if !isHTCondorID(facts.id) {
			t.Errorf("id %q", facts.id)
		}
		for _, s := range []string{facts.id, facts.user, facts.account, facts.name} {
			if strings.ContainsAny(s, "\x00\n\x1b") || len(s) > maxID {
				t.Errorf("a field holds %q", s)
			}
		}
	})
}

// FuzzEnviron holds each scheduler's reader to giving ids that are some.
func FuzzEnviron(f *testing.F) {
	for _, env := range []string{
		"SLURM_JOB_ID=5\x00SLURM_STEP_ID=-5\x00SLURM_JOB_SLUID=sE7DM8148RYY01\x00SLURM_JOB_ID_HET_GROUP_0=5", "PBS_JOBID=2[3].srv\x00PBS_NP=1",
		"JOB_ID=12\x00SGE_TASK_ID=undefined\x00SGE_CELL=x", "LSB_JOBID=12\x00LSB_JOBINDEX=0", "FLUX_JOB_ID_PATH=//ƒ1/",
	} {
		f.Add([]byte(env), "5")
	}
	f.Fuzz(func(t *testing.T, env []byte, rawID string) {
		for i := range schedulers {
			e := schedulers[i].environOf(env, rawID)
			if len(e.id) > 0 && !schedulers[i].isID(string(e.id)) {
				t.Errorf("%s takes %q for an id", schedulers[i].name, e.id)
			}
		}
	})
}
