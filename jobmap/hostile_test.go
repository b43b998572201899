package jobmap

import (
	"testing"

	"procmon"
)

// ended is a job that an epilog ended.
func ended(f facts) *facts {
	f.shares = []share{{node: "n1", began: true, ended: true}}
	return &f
}

// TestHostile maps processes of users who want them counted elsewhere, or
// nowhere. What a user can do is in the name.
func TestHostile(t *testing.T) {
	job := facts{scheduler: "slurm", id: "5", user: "alice", uid: 1001, hasUID: true}
	inJob := procmon.Job{Scheduler: "slurm", RawID: "5", ID: "5", Step: "0", UID: 1001, Evidence: procmon.EvidenceCgroup}
	inJob.By[procmon.JobUser] = procmon.EvidenceCgroup
	zombie := v1Cgroups("5")
	for i := range zombie {
		zombie[i].Path = "/"
	}
	nested := v1Cgroups("5")
	nested[1].Path += "/job_999/step_7/task_0"
	moved := append(v1Cgroups("6")[:2:2], v1Cgroups("5")[2:]...)
	for _, tt := range []struct {
		name   string
		p      procmon.Process
		parent procmon.Job
		facts  *facts
		want   string
	}{
		{name: "nests job_999 below the own job", p: procmon.Process{UID: 1001, Cgroups: nested}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "nests it on v2", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_5/step_0/user/task_0/slurmstepd.scope/job_999")}, want: "job 5 raw 5 step 0 task 0 by cgroup"},
		{name: "makes a scope under the own manager", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{
			{Path: "/user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_999/step_0/user/task_0"}}}, want: "none"},
		{name: "does so from inside a job's child", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{
			{Path: "/user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_999/step_0/user/task_0"}}}, parent: inJob,
			want: "job 5 raw 5 step 0 uid 1001 by parent"},
		{name: "makes a slice under the own manager", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{
			{Path: "/user.slice/user-1001.slice/user@1001.service/system.slice/slurmstepd.scope/job_999/step_0/user/task_0"}}}, want: "none"},
		{name: "makes paths of other schedulers there", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{
			{Path: "/user.slice/user-1001.slice/user@1001.service/torque/9"}, {Path: "/user.slice/user-1001.slice/user@1001.service/shell-0-f1.service"}}}, want: "none"},
		{name: "stands in the path of somebody else", p: procmon.Process{UID: 1002, Cgroups: v1Cgroups("5")}, want: "none cgroup says 5"},
		{name: "stands in a job that the facts give to somebody else", facts: &job, p: procmon.Process{UID: 1002, Cgroups: v2Cgroups("job_5")}, want: "none cgroup says 5"},
		{name: "moves between two jobs of their own", p: procmon.Process{UID: 1001, Cgroups: moved, Env: environ("SLURM_JOB_ID=5")}, parent: inJob,
			want: "job 6 raw 6 step 0 uid 1001 by cgroup but cgroup says 5, environ says 5"},
		{name: "forges the environment in a job", p: procmon.Process{UID: 1001, Cgroups: v1Cgroups("5"), Env: environ("SLURM_JOB_ID=77777", "SLURM_JOB_UID=0")},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup but environ says 77777"},
		{name: "forges another scheduler's", p: procmon.Process{UID: 1001, Cgroups: v1Cgroups("5"), Env: environ("PBS_JOBID=1.srv", "LSB_JOBID=3", "FLUX_JOB_ID=f1")},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "forges the environment outside jobs", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=9")}, want: "job 9 raw 9 by environ"},
		{name: "claims somebody else's job by it", facts: &job, p: procmon.Process{UID: 1002, Env: environ("SLURM_JOB_ID=5", "SLURM_JOB_UID=1002")}, want: "none environ says 5"},
		{name: "falls back on another scheduler's claim", facts: &job, p: procmon.Process{UID: 1002, Env: environ("SLURM_JOB_ID=5", "LSB_JOBID=3")},
			want: "job 3 raw 3 by environ but environ says 5"},
		{name: "empties the environment", p: procmon.Process{UID: 1001, Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "forks twice", p: procmon.Process{UID: 1001, PPID: 1, Cgroups: v1Cgroups("5"), Ancestors: []procmon.Ancestor{{Comm: "systemd"}}}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "forks twice where there are no cgroups", p: procmon.Process{UID: 1001, PPID: 1, Ancestors: []procmon.Ancestor{{Comm: "systemd"}}}, parent: inJob, want: "job 5 raw 5 step 0 uid 1001 by parent"},
		{name: "names a process slurmstepd", p: procmon.Process{UID: 1001, Comm: "slurmstepd", Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "names an ancestor so", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "slurmstepd", Args: []byte("slurmstepd: [9.0]")}}}, want: "none"},
		{name: "gives root's sudo that title", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{{UID: 0, Comm: "slurmstepd", Exe: "/usr/bin/sudo", Args: []byte("slurmstepd: [9.0]")}}}, want: "none"},
		{name: "escapes srun's name", p: procmon.Process{UID: 1001, Comm: "srun", Cgroups: v1Cgroups("5"), Env: environ("SLURM_JOB_ID=5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "removes the directory", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{{Path: "/system.slice/slurmstepd.scope/job_5/step_0/user/task_0 (deleted)"}}}, want: "job 5 raw 5 step 0 task 0 by cgroup"},
		{name: "is a zombie, its parent known", p: procmon.Process{UID: 1001, Cgroups: zombie}, parent: inJob, want: "job 5 raw 5 step 0 uid 1001 by parent"},
		{name: "is a zombie, nothing known", p: procmon.Process{UID: 1001, Cgroups: zombie}, want: "none"},
		{name: "outlives the job in a nested freezer", facts: ended(job), p: procmon.Process{UID: 1001, Cgroups: nested},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup but facts say it has ended"},
		{name: "outlives it where there are no cgroups", facts: ended(job), p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=5")},
			want: "job 5 raw 5 uid 1001 by environ but facts say it has ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Config
			if tt.facts != nil {
				c.Facts = withFacts(tt.facts)
			}
			if got := brief(New(c).Job(&tt.p, tt.parent)); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestSurvivorOfRequeuedJob: a directory named by a SLUID is of one restart.
// What survived that is not of the next one.
func TestSurvivorOfRequeuedJob(t *testing.T) {
	first, second := job7, job7
	first.restart, first.sluid = 0, "sE7DM8148RYY00"
	first.shares = []share{{node: "m2", began: true, ended: true}}
	second.restart, second.sluid = 1, "sE7DM8148RYY01"
	r := newRegistry("/nonexistent/procmon")
	r.put(fileKey{"slurm", "7"}, &file{done: true, facts: []*facts{&first, &second}})
	m := New(Config{Facts: r})
	for _, one := range []struct {
		f        *facts
		conflict string
	}{{&first, "facts say it has ended"}, {&second, ""}} {
		j := m.Job(&procmon.Process{UID: 1001, Cgroups: v2Cgroups(one.f.sluid)}, procmon.Job{})
		if j.RawID != "7" || j.Restart != one.f.restart || j.Conflict != one.conflict {
			t.Errorf("in %s: job %s restart %d, conflict %q; want 7, %d, %q", one.f.sluid, j.RawID, j.Restart, j.Conflict, one.f.restart, one.conflict)
		}
	}
}
