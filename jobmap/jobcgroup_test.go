package jobmap

import (
	"strconv"
	"testing"

	"procmon"
)

func TestJobCgroup(t *testing.T) {
	v1 := func(path string) []procmon.Cgroup {
		return []procmon.Cgroup{{Hierarchy: 6, Controllers: "freezer", Path: "/slurm/uid_1001/job_12/step_0"}, {Hierarchy: 2, Controllers: "cpu,cpuacct", Path: path}, {Path: "/"}}
	}
	v2 := func(path string) []procmon.Cgroup { return []procmon.Cgroup{{Path: path}} }
	for _, tt := range []struct {
		name    string
		cgroups []procmon.Cgroup
		want    string
	}{
		{"v1", v1("/slurm/uid_1001/job_12/step_0/task_0"), "2:cpu,cpuacct:/slurm/uid_1001/job_12"},
		{"v1, the job's own", v1("/slurm/uid_1001/job_12"), "2:cpu,cpuacct:/slurm/uid_1001/job_12"},
		{"v1, another name", v1("/slurm_n1/uid_1001/job_12/step_batch/task_0"), "2:cpu,cpuacct:/slurm_n1/uid_1001/job_12"},
		{"v1 that counts nothing", v1("/"), ""},
		{"v1, a job below it", v1("/slurm/uid_1001/job_12/step_0/job_999/step_1"), "2:cpu,cpuacct:/slurm/uid_1001/job_12"},
		{"v1, counted for another job", v1("/slurm/uid_1001/job_13/step_0"), ""},
		{"v2", v2("/system.slice/slurmstepd.scope/job_12/step_0/user/task_0"), "0::/system.slice/slurmstepd.scope/job_12"},
		{"v2, gone", v2("/system.slice/slurmstepd.scope/job_12 (deleted)"), "0::/system.slice/slurmstepd.scope/job_12"},
		{"v2, from a namespace", v2("/../../system.slice/slurmstepd.scope/job_12/step_0"), ""},
		{"v2, a user's own", v2("/user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_12/step_0"), ""},
		{"PBS", []procmon.Cgroup{{Hierarchy: 4, Controllers: "cpuacct", Path: "/pbs_jobs.service/jobid/12.server"}}, "4:cpuacct:/pbs_jobs.service/jobid/12.server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := New(Config{})
			p := &procmon.Process{UID: 1001, Cgroups: tt.cgroups}
			job := m.Job(p, procmon.Job{})
			got := ""
			if g, ok := m.Cgroup(p, &job); ok {
				got = strconv.Itoa(g.Hierarchy) + ":" + g.Controllers + ":" + g.Path
			}
			if got != tt.want {
				t.Errorf("%q, want %q; job %+v", got, tt.want, job)
			}
		})
	}
}

// A job that only the environment tells has no cgroup that could be its own.
func TestJobCgroupOfClaim(t *testing.T) {
	m := New(Config{})
	p := &procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{{Path: "/system.slice/slurmstepd.scope/job_12/step_0"}}}
	job := m.Job(p, procmon.Job{})
	job.Evidence = procmon.EvidenceEnviron
	if g, ok := m.Cgroup(p, &job); ok {
		t.Errorf("%+v", g)
	}
}
