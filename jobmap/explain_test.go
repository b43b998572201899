package jobmap

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// shown writes a trail as one line a step.
func shown(trail []Step) string {
	var text strings.Builder
	for _, s := range trail {
		text.WriteString(string(s.Verdict) + " " + s.Rung + ": " + s.Evidence)
		if s.Says != "" {
			text.WriteString(" = " + s.Says)
		}
		if s.Why != "" {
			text.WriteString(" (" + s.Why + ")")
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		p      procmon.Process
		parent procmon.Job
		facts  *facts
		want   string
	}{
		{name: "nothing"},
		{name: "cgroup", facts: &job7, p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_7"), Ancestors: []procmon.Ancestor{stepd("slurmstepd: [7.0]")}, Env: environ("SLURM_JOB_ID=7")},
			want: `decided cgroup: 0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0 = slurm 7 step 0 task 0
agrees ancestor: slurmstepd (pid 0, uid 0) slurmstepd: [7.0] = slurm 7 step 0
agrees environ: variables of slurm = slurm 7
agrees facts: the job's file in the jobs directory = slurm 7 user alice account acct1 partition debug cluster c1
`},
		{name: "moved, forged", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=9"),
			Cgroups: []procmon.Cgroup{group("memory /slurm/uid_1001/job_6/step_0"), group("freezer /slurm/uid_1001/job_5/step_0"), group("pids /user.slice"), group("cpu /user.slice")}},
			want: `decided cgroup: 4:freezer:/slurm/uid_1001/job_5/step_0 = slurm 5 step 0
rejected cgroup: 4:memory:/slurm/uid_1001/job_6/step_0 = slurm 6 step 0 (cgroup is better evidence and says 5)
rejected cgroup: 4:pids:/user.slice (names no job from its root on)
rejected environ: variables of slurm = slurm 9 (cgroup is better evidence and says 5)
`},
		{name: "somebody else's", p: procmon.Process{UID: 1002, Cgroups: []procmon.Cgroup{group("freezer /slurm/uid_1001/job_5/step_0")}},
			want: "rejected cgroup: 4:freezer:/slurm/uid_1001/job_5/step_0 = slurm 5 step 0 (the job is another user's)\n"},
		{name: "false titles", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{
			{UID: 1001, Comm: "slurmstepd", Args: []byte("slurmstepd: [9.0]")}, {Comm: "slurmstepd", Exe: "/usr/bin/sudo", Args: []byte("slurmstepd: [8.0]")}, stepd("slurmstepd: [7.0]")}},
			want: `rejected ancestor: slurmstepd (pid 0, uid 1001) slurmstepd: [9.0] = slurm 9 step 0 (it belongs to a user, not to root)
rejected ancestor: slurmstepd (pid 0, uid 0) slurmstepd: [8.0] = slurm 8 step 0 (its executable is not the scheduler's)
decided ancestor: slurmstepd (pid 0, uid 0) slurmstepd: [7.0] = slurm 7 step 0
`},
		{name: "heterogeneous", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_10"), Env: environ("SLURM_JOB_ID=9", "SLURM_JOB_ID_HET_GROUP_0=9", "SLURM_JOB_ID_HET_GROUP_1=10")},
			want: `decided cgroup: 0::/system.slice/slurmstepd.scope/job_10/step_0/user/task_0 = slurm 10 step 0 task 0
agrees environ: variables of slurm = slurm 9 (it names the leader of the heterogeneous job)
`},
		{name: "by a SLUID", p: procmon.Process{UID: 1001, Cgroups: v2Cgroups(job7.sluid), Ancestors: []procmon.Ancestor{stepd("slurmstepd: [7.0]")}},
			want: `decided cgroup: 0::/system.slice/slurmstepd.scope/sE7DM8148RYY01/step_0/user/task_0 = slurm sE7DM8148RYY01 step 0 task 0
agrees ancestor: slurmstepd (pid 0, uid 0) slurmstepd: [7.0] = slurm 7 step 0
`},
		{name: "slurmstepd", p: procmon.Process{Comm: "slurmstepd", Cgroups: v2Cgroups("job_7")},
			want: "rejected cgroup: 0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0 = slurm 7 step 0 task 0 (the scheduler's own process is no run of a user)\n"},
		{name: "a login node", p: procmon.Process{UID: 1001, Comm: "srun", Env: environ("SLURM_JOB_ID=7")},
			want: "rejected environ: variables of slurm = slurm 7 (it or an ancestor is a client on the submitting side: the job runs elsewhere)\n"},
		{name: "two schedulers", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=7", "PBS_JOBID=1.srv")},
			want: "decided environ: variables of slurm = slurm 7\nrejected environ: variables of openpbs = openpbs 1.srv (a job of slurm was found before)\n"},
		{name: "parent", p: procmon.Process{UID: 1001, Env: environ("SLURM_JOB_ID=7")}, parent: procmon.Job{Scheduler: "slurm", RawID: "5", Evidence: procmon.EvidenceCgroup},
			want: `decided parent: the job of the process that started it, known by its cgroup = slurm 5
rejected environ: variables of slurm = slurm 7 (parent is better evidence and says 5)
`},
		{name: "an ancestor's cgroup", p: procmon.Process{UID: 1001, Ancestors: []procmon.Ancestor{{UID: 1001, Comm: "bash", Cgroups: v2Cgroups("job_7")}}},
			want: "decided parent: bash (pid 0, uid 1001) in its cgroup = slurm 7 step 0 task 0\n"},
		{name: "a slot without an ad", p: procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{group("memory /htcondor/_x_slot1@n1")}},
			want: "rejected cgroup: 4:memory:/htcondor/_x_slot1@n1 = htcondor step slot1@n1 (no job ad that could be trusted says whose slot it is)\n"},
		{name: "a survivor", facts: ended(job7), p: procmon.Process{UID: 1001, Cgroups: v2Cgroups("job_7")},
			want: `decided cgroup: 0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0 = slurm 7 step 0 task 0
agrees facts: the job's file in the jobs directory = slurm 7 user alice account acct1 partition debug cluster c1 (the job has ended: the process outlived it)
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Config
			if tt.facts != nil {
				c.Facts = withFacts(tt.facts)
			}
			m := New(c)
			job, trail := m.Explain(&tt.p, tt.parent)
			if d := cmp.Diff(tt.want, shown(trail)); d != "" {
				t.Errorf("trail (-want +got):\n%s", d)
			}
			if want := m.Job(&tt.p, tt.parent); job != want {
				t.Errorf("explained as %+v, mapped as %+v", job, want)
			}
		})
	}
}

// TestExplainProcesses: every process of the captures is explained as it is
// mapped, and exactly one piece of evidence decides for each that is in a job.
func TestExplainProcesses(t *testing.T) {
	files, err := filepath.Glob("testdata/processes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	m := New(Config{})
	for _, path := range files {
		all := readCapture(t, path)
		for _, c := range all {
			var parent procmon.Job
			if a := byPID(all, c.PPID); a != nil {
				parent = mapped(m, all, a)
			}
			job, trail := m.Explain(&c.Process, parent)
			if brief(job) != c.want {
				t.Errorf("%s: process %d explained as %s, want %s", path, c.Run.Process.PID, brief(job), c.want)
			}
			decided := 0
			for _, s := range trail {
				if s.Verdict == Decided {
					decided++
				}
			}
			if (decided == 1) == job.None() {
				t.Errorf("%s: process %d: %d pieces of evidence decided that it is in %s:\n%s", path, c.Run.Process.PID, decided, brief(job), shown(trail))
			}
		}
	}
}
