package jobmap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

func v1Cgroups(job string) []procmon.Cgroup {
	return []procmon.Cgroup{
		{Hierarchy: 9, Controllers: "name=systemd", Path: "/"},
		{Hierarchy: 6, Controllers: "freezer", Path: "/slurm/uid_1001/job_" + job + "/step_0"},
		{Hierarchy: 5, Controllers: "devices", Path: "/slurm/uid_1001/job_" + job + "/step_0/task_0"},
		{Hierarchy: 4, Controllers: "memory", Path: "/slurm/uid_1001/job_" + job + "/step_0/task_0"},
		{Hierarchy: 3, Controllers: "cpuset", Path: "/slurm/uid_1001/job_" + job + "/step_0"},
		{Hierarchy: 2, Controllers: "cpu,cpuacct", Path: "/slurm/uid_1001/job_" + job + "/step_0/task_0"},
		{Path: "/"},
	}
}

func v2Cgroups(dir string) []procmon.Cgroup {
	return []procmon.Cgroup{{Path: "/system.slice/slurmstepd.scope/" + dir + "/step_0/user/task_0"}}
}

func environ(vars ...string) []byte { return []byte(strings.Join(vars, "\x00") + "\x00") }

func stepd(title string) procmon.Ancestor {
	return procmon.Ancestor{Comm: "slurmstepd", Exe: "/usr/sbin/slurmstepd", Args: []byte(title)}
}

// withFacts is a registry that knows one job and reads no files.
func withFacts(all ...*facts) *Registry {
	r := newRegistry("/nonexistent/procmon")
	for _, f := range all {
		r.put(fileKey{f.scheduler, f.id}, &file{done: true, facts: []*facts{f}}) // kept by a scan
	}
	return r
}

var job7 = facts{
	scheduler: "slurm", id: "7", sluid: "sE7DM8148RYY01", cluster: "c1", user: "alice", account: "acct1", queue: "debug",
	hetJob: "6", uid: 1001, hasUID: true, restart: 2,
}

func TestJob(t *testing.T) {
	const sluid = "sE7DM8148RYY01"
	inJob := func(id, by string) procmon.Job {
		return procmon.Job{Scheduler: "slurm", RawID: id, ID: id, Step: "0", UID: 1001, Evidence: procmon.ParseEvidence(by)}
	}
	for _, tt := range []struct {
		name   string
		p      procmon.Process
		parent procmon.Job
		facts  *facts
		want   string
	}{
		{name: "no evidence", want: "none"},
		{name: "cgroup v1", p: procmon.Process{UID: 1001, Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "somebody else's uid in the path", p: procmon.Process{UID: 1002, Cgroups: v1Cgroups("5")}, want: "none cgroup says 5"},
		{name: "uid not known", p: procmon.Process{UID: procmon.NoUID, Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "root in a user's job", p: procmon.Process{UID: 0, Comm: "ping", Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "a container's user id below the owner",
			p:    procmon.Process{UID: 100000, Cgroups: v1Cgroups("5"), Ancestors: []procmon.Ancestor{{UID: 1001, Cgroups: v1Cgroups("5")}}},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "a container's user id below the owner's other job",
			p:    procmon.Process{UID: 100000, Cgroups: v1Cgroups("5"), Ancestors: []procmon.Ancestor{{UID: 1001, Cgroups: v1Cgroups("6")}}},
			want: "job 6 raw 6 step 0 task 0 uid 1001 by parent but cgroup says 5"},
		{name: "moved to the user's other job",
			p:    procmon.Process{UID: 1001, Cgroups: append(v1Cgroups("5")[:2:2], v1Cgroups("6")[2:]...), Ancestors: []procmon.Ancestor{stepd("slurmstepd: [6.0]")}},
			want: "job 5 raw 5 step 0 uid 1001 by cgroup but cgroup says 6, ancestor says 6"},
		{name: "environment of another job",
			p:    procmon.Process{UID: 1001, Cgroups: v1Cgroups("5"), Env: environ("SLURM_JOB_ID=77777", "SLURM_ARRAY_JOB_ID=7", "SLURM_ARRAY_TASK_ID=1")},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup but environ says 77777"},
		{name: "environment that is no id",
			p:    procmon.Process{UID: 1001, Cgroups: v1Cgroups("5"), Env: environ("SLURM_JOB_ID=\x1b[31m", "SLURM_JOB_NAME=a\nb")},
			want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "first of two variables counts",
			p:    procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=5", "SLURM_JOB_ID=6", "SLURM_STEP_ID=0")},
			want: "job 5 raw 5 step 0 by environ"},
		{name: "array", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_5"), Env: environ("SLURM_JOB_ID=5", "SLURM_ARRAY_JOB_ID=4", "SLURM_ARRAY_TASK_ID=5")},
			want: "job 4_5 raw 5 step 0 task 0 by cgroup"},
		{name: "heterogeneous", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_10"), Env: environ("SLURM_JOB_ID=9", "SLURM_JOB_ID_HET_GROUP_0=9", "SLURM_JOB_ID_HET_GROUP_1=10")},
			want: "job 9+1 raw 10 step 0 task 0 by cgroup"},
		{name: "legal leader by facts", facts: &job7, p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_7"), Env: environ("SLURM_JOB_ID=6")},
			want: "job 7 raw 7 sluid " + sluid + " step 0 task 0 uid 1001 by cgroup"},
		{name: "sluid by facts", facts: &job7, p: procmon.Process{UID: 1001, Cgroups: v2Cgroups(sluid)},
			want: "job 7 raw 7 sluid " + sluid + " step 0 task 0 uid 1001 by cgroup"},
		{name: "sluid by title before environment", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups(sluid),
			Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "slurmstepd", Args: []byte("slurmstepd: [8.0]")}, stepd("slurmstepd: [7.0]")}, Env: environ("SLURM_JOB_ID=8", "SLURM_JOB_SLUID="+sluid)},
			want: "job 7 raw 7 sluid " + sluid + " step 0 task 0 by cgroup but environ says 8"},
		{name: "sluid by environment", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups(sluid), Env: environ("SLURM_JOB_ID=7", "SLURM_JOB_SLUID="+sluid)},
			want: "job 7 raw 7 sluid " + sluid + " step 0 task 0 by cgroup"},
		{name: "sluid of another job", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups(sluid), Env: environ("SLURM_JOB_ID=8", "SLURM_JOB_SLUID=sE7DM8148RYY00")},
			want: "job  raw  sluid " + sluid + " step 0 task 0 by cgroup but environ says 8"},
		{name: "facts of another user", facts: &job7, p: procmon.Process{UID: 1002, Cgroups: v2Cgroups("job_7")}, want: "none cgroup says 7"},
		{name: "facts of an earlier job of that id", facts: &facts{scheduler: "slurm", id: "5", uid: 1002, hasUID: true},
			p: procmon.Process{UID: 1001, Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "environment claims another user's job", facts: &job7, p: procmon.Process{UID: 1002, Env: environ("SLURM_JOB_ID=7", "SLURM_PROCID=0")},
			want: "none environ says 7"},
		{name: "environment names another owner", p: procmon.Process{UID: 1002, Env: environ("SLURM_JOB_ID=7", "SLURM_JOB_UID=1001")}, want: "none environ says 7"},
		{name: "environment with facts", facts: &job7, p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=7", "SLURM_STEP_ID=-5")},
			want: "job 7 raw 7 sluid " + sluid + " step batch uid 1001 by environ"},
		{name: "title", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "bash"}, stepd("slurmstepd: [15.ba d")}, Env: environ("SLURM_JOB_ID=9")},
			want: "job 15 raw 15 step batch by ancestor but environ says 9"},
		{name: "forged title", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "slurmstepd", Args: []byte("slurmstepd: [15.0]")}}}, want: "none"},
		{name: "parent", p: procmon.Process{UID: 1001}, parent: inJob("5", "cgroup"), want: "job 5 raw 5 step 0 by parent"},
		{name: "parent's word", p: procmon.Process{UID: 1001}, parent: inJob("5", "environ"), want: "job 5 raw 5 step 0 by environ"},
		{name: "own word before the parent's", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=6")}, parent: inJob("5", "environ"), want: "job 6 raw 6 by environ"},
		{name: "parent before own word", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=6")}, parent: inJob("5", "parent"), want: "job 5 raw 5 step 0 by parent but environ says 6"},
		{name: "salloc on a login node", p: procmon.Process{UID: 1001, Comm: "bash", Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "salloc"}}, Env: environ("SLURM_JOB_ID=6")}, want: "none"},
		{name: "srun on a login node", p: procmon.Process{UID: 1001, Comm: "srun", Env: environ("SLURM_JOB_ID=6")}, want: "none"},
		{name: "srun in a job", p: procmon.Process{UID: 1001, Comm: "srun", Cgroups: v1Cgroups("5")}, want: "job 5 raw 5 step 0 task 0 uid 1001 by cgroup"},
		{name: "step daemon", p: procmon.Process{UID: 0, Comm: "slurmstepd", Cgroups: v1Cgroups("5")}, want: "none"},
		{name: "pbs array", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{{Hierarchy: 3, Controllers: "memory", Path: "/pbs_jobs.service/jobid/2[3].srv"}}}, want: "job 2[3].srv raw 2[3].srv by cgroup"},
		{name: "torque by environment", p: procmon.Process{UID: 1001, Env: environ("PBS_JOBID=4.srv", "PBS_NP=2")}, want: "job 4.srv raw 4.srv by environ"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Config
			if tt.facts != nil {
				c.Facts = withFacts(tt.facts)
			}
			got := New(c).Job(&tt.p, tt.parent)
			if d := cmp.Diff(tt.want, brief(got)); d != "" {
				t.Errorf("job (-want +got):\n%s", d)
			}
		})
	}
}

func TestJobFields(t *testing.T) {
	env := environ("SLURM_JOB_ID=7", "SLURM_JOB_NAME=mine", "SLURM_JOB_ACCOUNT=forged", "SLURM_CLUSTER_NAME=forged", "SLURM_JOB_USER=bob", "SLURM_JOB_UID=1001",
		"SLURM_JOB_PARTITION=forged", "SLURM_RESTART_COUNT=9", "SLURM_PROCID=3")
	p := procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_7"), Env: env}
	got := New(Config{Facts: withFacts(&job7)}).Job(&p, procmon.Job{})
	want := procmon.Job{
		Scheduler: "slurm", Cluster: "c1", ID: "7", RawID: "7", SLUID: job7.sluid, HetJob: "6", Step: "0", Task: "0",
		User: "alice", UID: 1001, Account: "acct1", Partition: "debug", Name: "mine", Restart: 2, Evidence: procmon.EvidenceCgroup,
	}
	const cgroup, told, env1 = procmon.EvidenceCgroup, procmon.EvidenceFacts, procmon.EvidenceEnviron
	want.By = [...]procmon.Evidence{cgroup, cgroup, told, cgroup, cgroup, told, told, told, env1, told}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("with facts (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"name"}, got.Unproved()); d != "" {
		t.Errorf("unproved (-want +got):\n%s", d)
	}

	child := New(Config{}).Job(&procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_7")}, got)
	want.HetJob, want.SLUID = "", ""
	want.By[procmon.JobID] = procmon.EvidenceNone
	if d := cmp.Diff(want, child); d != "" {
		t.Errorf("child with an empty environment (-want +got):\n%s", d)
	}

	alone := New(Config{Cluster: "site"}).Job(&p, procmon.Job{})
	if alone.Cluster != "site" || !alone.By[procmon.JobCluster].Proved() {
		t.Errorf("cluster %q by %v, want the configured one", alone.Cluster, alone.By[procmon.JobCluster])
	}
	if d := cmp.Diff([]string{"user", "account", "partition", "name", "restart"}, alone.Unproved()); d != "" {
		t.Errorf("unproved without facts (-want +got):\n%s", d)
	}
}

func TestNumberOfSLUID(t *testing.T) {
	p := procmon.Process{UID: 1001, Cgroups: v2Cgroups(job7.sluid), Env: environ("SLURM_JOB_ID=7", "SLURM_JOB_SLUID="+job7.sluid)}
	told := New(Config{Facts: withFacts(&job7)}).Job(&p, procmon.Job{})
	forgeable := New(Config{}).Job(&p, procmon.Job{})
	p.Ancestors = []procmon.Ancestor{stepd("slurmstepd: [7.0]")}
	titled := New(Config{}).Job(&p, procmon.Job{})
	both := New(Config{Facts: withFacts(&job7)}).Job(&p, procmon.Job{})
	byNumber := job7
	byNumber.sluid = ""
	found := New(Config{Facts: withFacts(&byNumber)}).Job(&p, procmon.Job{})
	for _, tt := range []struct {
		job  procmon.Job
		want procmon.Evidence
	}{{told, procmon.EvidenceFacts}, {forgeable, procmon.EvidenceEnviron}, {titled, procmon.EvidenceAncestor}, {both, procmon.EvidenceFacts}, {found, procmon.EvidenceFacts}} {
		if by := tt.job.By[procmon.JobRawID]; tt.job.RawID != "7" || by != tt.want || tt.job.Evidence != procmon.EvidenceCgroup {
			t.Errorf("raw id %q by %v, want 7 by %v", tt.job.RawID, by, tt.want)
		}
	}
}

func TestArrayIsInherited(t *testing.T) {
	m := New(Config{})
	parent := m.Job(&procmon.Process{UID: 1001, Cgroups: v1Cgroups("5"), Env: environ("SLURM_JOB_ID=5", "SLURM_ARRAY_JOB_ID=4", "SLURM_ARRAY_TASK_ID=5")}, procmon.Job{})
	child := m.Job(&procmon.Process{UID: 1001, Cgroups: v1Cgroups("5")}, parent)
	if child.ID != "4_5" || child.By[procmon.JobID] != procmon.EvidenceEnviron {
		t.Errorf("id %q by %v, want 4_5 by environ", child.ID, child.By[procmon.JobID])
	}
	other := m.Job(&procmon.Process{UID: 1001, Cgroups: v1Cgroups("6")}, parent)
	if other.ID != "6" || other.ArrayJob != "" || other.Name != "" {
		t.Errorf("another job took %+v from its parent", other)
	}
}

// The common case: the child of a process of the same job.
func commonCase() (*Mapper, *procmon.Process, procmon.Job) {
	f := job7
	f.id, f.sluid, f.hetJob = "5", "", ""
	m := New(Config{Facts: withFacts(&f)})
	p := &procmon.Process{
		UID: 1001, Comm: "true", Cgroups: v1Cgroups("5"),
		Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "bash", Cgroups: v1Cgroups("5")}, stepd("slurmstepd: [5.0]")},
		Env: environ("SLURM_JOB_ID=5", "SLURM_ARRAY_JOB_ID=4", "SLURM_ARRAY_TASK_ID=5", "SLURM_STEP_ID=0", "SLURM_PROCID=0", "SLURM_JOB_NAME=sweep", "SLURM_CLUSTER_NAME=c1",
			"SLURM_JOB_USER=alice", "SLURM_JOB_UID=1001", "SLURM_JOB_ACCOUNT=acct1", "SLURM_JOB_PARTITION=debug", "SLURMD_NODENAME=n1"),
	}
	return m, p, m.Job(p, procmon.Job{})
}

// deep gives p as many ancestors as a process has at most, none in a job, on a
// host with all the hierarchies of cgroup v1.
func deep(p procmon.Process) *procmon.Process {
	var lines []procmon.Cgroup
	for i, name := range []string{"name=systemd", "freezer", "devices", "memory", "cpuset", "cpu,cpuacct", "blkio", "pids", "perf_event", "net_cls,net_prio", "hugetlb", "rdma"} {
		lines = append(lines, procmon.Cgroup{Hierarchy: i + 1, Controllers: name, Path: "/"})
	}
	lines[0].Path, lines[2].Path, lines[7].Path = "/user.slice/user-1001.slice/session-4.scope", "/user.slice", "/user.slice/user-1001.slice/session-4.scope"
	p.Cgroups = append(lines, procmon.Cgroup{Path: lines[0].Path})
	for range procmon.MaxAncestors {
		p.Ancestors = append(p.Ancestors, procmon.Ancestor{UID: 1001, Comm: "bash", Exe: "/usr/bin/bash", Cgroups: p.Cgroups})
	}
	return &p
}

func TestJobAllocates(t *testing.T) {
	m, p, parent := commonCase()
	bySLUID := *p
	bySLUID.Cgroups, bySLUID.Ancestors = v2Cgroups("sE7DM8148RYY01"), []procmon.Ancestor{stepd("slurmstepd: [5.0]")}
	none := deep(procmon.Process{UID: 1001})
	pbs := procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{group("memory /pbs_jobs.service/jobid/2[3].srv")}, Env: environ("PBS_JOBID=2[3].srv", "PBS_QUEUE=q")}
	ocs := procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{group("/o.slice/o-jobs.slice/o.12.3.scope")}}
	for _, tt := range []struct {
		name   string
		p      *procmon.Process
		parent procmon.Job
	}{
		{"the child of a process of the same job", p, parent},
		{"a child known by its SLUID", &bySLUID, m.Job(&bySLUID, procmon.Job{})},
		{"a process of no job", none, procmon.Job{}},
		{"a child in a PBS array", &pbs, m.Job(&pbs, procmon.Job{})},
		{"a child in a Grid Engine array", &ocs, m.Job(&ocs, procmon.Job{})},
	} {
		if n := testing.AllocsPerRun(100, func() { m.Job(tt.p, tt.parent) }); n != 0 {
			t.Errorf("%v allocations for %s, want none", n, tt.name)
		}
	}
}

func BenchmarkJob(b *testing.B) {
	m, p, parent := commonCase()
	b.ReportAllocs()
	for b.Loop() {
		m.Job(p, parent)
	}
}

// BenchmarkJobOfNone is the worst of the common cases: all evidence is asked.
func BenchmarkJobOfNone(b *testing.B) {
	m, _, _ := commonCase()
	p := deep(procmon.Process{UID: 1001})
	b.ReportAllocs()
	for b.Loop() {
		m.Job(p, procmon.Job{})
	}
}
