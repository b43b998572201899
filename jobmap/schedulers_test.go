package jobmap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// evidenceCase is a process of which only the evidence matters.
type evidenceCase struct {
	name   string
	cgroup string // "CONTROLLERS PATH"; no controllers: cgroup v2
	env    []byte
	up     []procmon.Ancestor
	parent procmon.Job
	uid    uint32 // 0: 1001
	want   string
}

func (c *evidenceCase) run(t *testing.T, m *Mapper) {
	t.Helper()
	p := procmon.Process{UID: 1001, EUID: 1001, Env: c.env, Ancestors: c.up}
	if c.uid != 0 {
		p.UID = c.uid
	}
	if c.cgroup != "" {
		p.Cgroups = []procmon.Cgroup{{Path: "/"}, group(c.cgroup)}
	}
	if d := cmp.Diff(c.want, brief(m.Job(&p, c.parent))); d != "" {
		t.Errorf("job (-want +got):\n%s", d)
	}
}

// group makes a line of "CONTROLLERS PATH" or of a path of cgroup v2.
func group(text string) procmon.Cgroup {
	if text[0] == '/' {
		return procmon.Cgroup{Path: text}
	}
	controllers, path, _ := strings.Cut(text, " ")
	return procmon.Cgroup{Hierarchy: 4, Controllers: controllers, Path: path}
}

func shepherd(args ...string) procmon.Ancestor {
	return procmon.Ancestor{Comm: "sge_shepherd", Exe: "/opt/ocs/bin/lx-amd64/sge_shepherd", Args: []byte(strings.Join(args, "\x00") + "\x00")}
}

func TestGridengine(t *testing.T) {
	const jobs = "/ocs8012.slice/ocs8012-jobs.slice/"
	root := "SGE_ROOT=/opt/ocs"
	for _, tt := range []evidenceCase{
		{name: "job", cgroup: jobs + "ocs8012.12.scope", want: "job 12 raw 12 by cgroup"},
		{name: "v1", cgroup: "name=systemd " + jobs + "ocs8012.12.scope", want: "job 12 raw 12 by cgroup"},
		{name: "task of an array", cgroup: jobs + "ocs8012.12.3.scope", want: "job 12.3 raw 12.3 by cgroup"},
		{name: "parallel", cgroup: jobs + "ocs8012-jobs-12.slice/ocs8012.12.master.scope", want: "job 12 raw 12 by cgroup"},
		{name: "parallel, another host's task", cgroup: jobs + "ocs8012-jobs-12.slice/ocs8012.12-1.n2.scope", want: "job 12 raw 12 by cgroup"},
		{name: "parallel array", cgroup: jobs + "ocs8012-jobs-12.3.slice/ocs8012.12.3.1.n2.scope", want: "job 12.3 raw 12.3 by cgroup"},
		{name: "below the scope", cgroup: jobs + "ocs8012.12.scope/ocs8012.99.scope", want: "job 12 raw 12 by cgroup"},
		{name: "deleted", cgroup: jobs + "ocs8012.12.scope (deleted)", want: "job 12 raw 12 by cgroup"},
		{name: "inner slice without a scope", cgroup: jobs + "ocs8012-jobs-12.slice", want: "none"},
		{name: "another cell's scope", cgroup: jobs + "ocs8013.12.scope", want: "none"},
		{name: "shepherds", cgroup: "/ocs8012.slice/ocs8012-shepherds.scope", want: "none"},
		{name: "a user's own manager", cgroup: "/user.slice/user-1001.slice/user@1001.service" + jobs + "ocs8012.12.scope", want: "none"},
		{name: "an unused controller", cgroup: "pids " + jobs + "ocs8012.12.scope", want: "none"},
		{name: "shepherd", up: []procmon.Ancestor{{UID: 1001, Comm: "bash"}, shepherd("sge_shepherd-12", "-bg")}, want: "job 12 raw 12 by ancestor"},
		{name: "shepherd's path", up: []procmon.Ancestor{shepherd("/opt/ocs/bin/sge_shepherd-12")}, want: "job 12 raw 12 by ancestor"},
		{name: "shepherd, title in one", up: []procmon.Ancestor{shepherd("sge_shepherd-12 -bg")}, want: "job 12 raw 12 by ancestor"},
		{name: "a user's shepherd", up: []procmon.Ancestor{{UID: 1001, Comm: "sge_shepherd", Args: []byte("sge_shepherd-12")}}, want: "none"},
		{name: "shepherd without a number", up: []procmon.Ancestor{shepherd("sge_shepherd-x")}, want: "none"},
		{name: "shepherd and environment of an array", up: []procmon.Ancestor{shepherd("sge_shepherd-12")},
			env: environ("JOB_ID=12", "SGE_TASK_ID=3"), want: "job 12.3 raw 12.3 by ancestor"},
		{name: "shepherd and environment of another job", up: []procmon.Ancestor{shepherd("sge_shepherd-12")},
			env: environ("JOB_ID=13", root), want: "job 12 raw 12 by ancestor but environ says 13"},
		{name: "cgroup and another job's shepherd", cgroup: jobs + "ocs8012.12.3.scope", up: []procmon.Ancestor{shepherd("sge_shepherd-13")},
			want: "job 12.3 raw 12.3 by cgroup but ancestor says 13"},
		{name: "cgroup of a task and its shepherd", cgroup: jobs + "ocs8012.12.3.scope", up: []procmon.Ancestor{shepherd("sge_shepherd-12")}, want: "job 12.3 raw 12.3 by cgroup"},
		{name: "environment", env: environ("JOB_ID=12", "SGE_TASK_ID=undefined", root), want: "job 12 raw 12 by environ"},
		{name: "environment of an array", env: environ("JOB_ID=12", "SGE_TASK_ID=3", "SGE_CELL=default"), want: "job 12.3 raw 12.3 by environ"},
		{name: "environment without its context", env: environ("JOB_ID=12", "JOB_NAME=nightly", "QUEUE=q"), want: "none"},
		{name: "environment that is no id", env: environ("JOB_ID=12;rm", root), want: "none"},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, New(Config{})) })
	}
	j := New(Config{}).Job(&procmon.Process{UID: 1001, Env: environ("JOB_ID=12", "SGE_TASK_ID=3", root, "QUEUE=all.q", "JOB_NAME=sweep", "SGE_ACCOUNT=sge")}, procmon.Job{})
	if j.ArrayJob != "12" || j.ArrayTask != "3" || j.Partition != "all.q" || j.Name != "sweep" || j.Account != "sge" || len(j.Unproved()) != 5 {
		t.Errorf("fields: %+v", j)
	}
}

func TestLSF(t *testing.T) {
	pattern := mustPattern(t, `lsf=^/lsf/[^/]+/job\.(?P<job>[0-9]+)\.`)
	const path = "freezer /lsf/c1/job.12.4711.1700000000"
	told := procmon.Job{Scheduler: "lsf", RawID: "12[3]", ID: "12[3]", ArrayJob: "12", ArrayTask: "3", Evidence: procmon.EvidenceCgroup}
	told.By[procmon.JobRawID] = procmon.EvidenceEnviron
	for _, tt := range []evidenceCase{
		{name: "environment", env: environ("LSB_JOBID=12", "LSB_JOBINDEX=0"), want: "job 12 raw 12 by environ"},
		{name: "environment of an array", env: environ("LSB_JOBID=12", "LSB_JOBINDEX=3"), want: "job 12[3] raw 12[3] by environ"},
		{name: "its own form of that", env: environ("LSB_JOBID=12", "LSB_BATCH_JID=12[3]"), want: "job 12[3] raw 12[3] by environ"},
		{name: "forms that differ", env: environ("LSB_JOBID=12", "LSB_BATCH_JID=13[3]", "LSB_JOBINDEX=4"), want: "job 12[4] raw 12[4] by environ"},
		{name: "environment that is no id", env: environ("LSB_JOBID=x12"), want: "none"},
		{name: "the site's pattern", cgroup: path, want: "job 12 raw 12 by cgroup"},
		{name: "pattern and environment of an array", cgroup: path, env: environ("LSB_JOBID=12", "LSB_JOBINDEX=3"), want: "job 12[3] raw 12[3] by cgroup"},
		{name: "pattern and environment of another job", cgroup: path, env: environ("LSB_JOBID=13"), want: "job 12 raw 12 by cgroup but environ says 13"},
		{name: "the parent knew the index", cgroup: path, parent: told, want: "job 12[3] raw 12[3] by cgroup"},
		{name: "a path like that further down", cgroup: "freezer /x/lsf/c1/job.12.4711.1700000000", want: "none"},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, New(Config{Patterns: []Pattern{pattern}})) })
	}
}

func TestFlux(t *testing.T) {
	const own, users = "/user.slice/user-490.slice/user@490.service/", "/user.slice/user-1002.slice/user@1002.service/"
	for _, tt := range []evidenceCase{
		{name: "unit", cgroup: own + "imp-shell-0-fTE9HHdZvi3.service", want: "job fTE9HHdZvi3 raw fTE9HHdZvi3 by cgroup"},
		{name: "unit of a slice", cgroup: own + "app.slice/imp-shell-0-fTE9HHdZvi3.service", want: "job fTE9HHdZvi3 raw fTE9HHdZvi3 by cgroup"},
		{name: "without its helper", cgroup: own + "shell-12-fTE9HHdZvi3.service", want: "job fTE9HHdZvi3 raw fTE9HHdZvi3 by cgroup"},
		{name: "v1", cgroup: "name=systemd " + own + "shell-12-fTE9HHdZvi3.service", want: "job fTE9HHdZvi3 raw fTE9HHdZvi3 by cgroup"},
		{name: "in a user's manager", cgroup: users + "imp-shell-0-fTE9HHdZvi3.service", want: "none"},
		{name: "two users", cgroup: "/user.slice/user-490.slice/user@1002.service/imp-shell-0-fTE9HHdZvi3.service", want: "none"},
		{name: "another unit", cgroup: own + "dbus.service", want: "none"},
		{name: "no rank", cgroup: own + "imp-shell-fTE9HHdZvi3.service", want: "none"},
		{name: "no id", cgroup: own + "imp-shell-0-fTE9HHdZ0OIl.service", want: "none"},
		{name: "nested", cgroup: own + "imp-shell-0-fD2e73NP.service", env: environ("FLUX_JOB_ID=ƒDCB6RV", "FLUX_JOB_ID_PATH=/ƒD2e73NP/ƒDCB6RV", "FLUX_TASK_RANK=2"),
			want: "job fD2e73NP raw fD2e73NP step fDCB6RV task 2 by cgroup"},
		{name: "nested, without the path", cgroup: own + "imp-shell-0-fD2e73NP.service", env: environ("FLUX_JOB_ID=fDCB6RV", "FLUX_ENCLOSING_ID=fD2e73NP"),
			want: "job fD2e73NP raw fD2e73NP step fDCB6RV by cgroup"},
		{name: "initial program", cgroup: own + "imp-shell-0-fD2e73NP.service", env: environ("FLUX_ENCLOSING_ID=ƒD2e73NP"), want: "job fD2e73NP raw fD2e73NP by cgroup"},
		{name: "another job", cgroup: own + "imp-shell-0-fD2e73NP.service", env: environ("FLUX_JOB_ID=ƒDCB6RV"), want: "job fD2e73NP raw fD2e73NP by cgroup but environ says fDCB6RV"},
		{name: "environment", env: environ("FLUX_JOB_ID=ƒDCB6RV", "FLUX_JOB_ID_PATH=/ƒD2e73NP/ƒx1/ƒDCB6RV"), want: "job fD2e73NP raw fD2e73NP step fx1/fDCB6RV by environ"},
		{name: "environment, one level", env: environ("FLUX_JOB_ID=ƒDCB6RV", "FLUX_JOB_ID_PATH=/ƒDCB6RV"), want: "job fDCB6RV raw fDCB6RV by environ"},
		{name: "environment, broken path", env: environ("FLUX_JOB_ID=ƒDCB6RV", "FLUX_JOB_ID_PATH=/ƒD2e73NP/../x"), want: "job fDCB6RV raw fDCB6RV by environ"},
		{name: "environment that is no id", env: environ("FLUX_JOB_ID=ƒƒ", "FLUX_ENCLOSING_ID=../x"), want: "none"},
		{name: "inside a job of Slurm", cgroup: "/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", env: environ("FLUX_JOB_ID=ƒDCB6RV"), want: "job 7 raw 7 step 0 task 0 by cgroup"},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, New(Config{})) })
	}
	imp := procmon.Process{UID: 490, EUID: 0, Comm: "flux-imp", Cgroups: []procmon.Cgroup{group(own + "imp-shell-0-fTE9HHdZvi3.service")}}
	if j := New(Config{}).Job(&imp, procmon.Job{}); !j.None() {
		t.Errorf("Flux's helper is a run: %s", brief(j))
	}
	mine := evidenceCase{cgroup: users + "imp-shell-0-fTE9HHdZvi3.service", want: "job fTE9HHdZvi3 raw fTE9HHdZvi3 by cgroup"}
	mine.run(t, New(Config{MinUID: 2000}))
}

func mustPattern(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
