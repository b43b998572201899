package jobmap

import (
	"errors"
	"strings"
	"testing"

	"procmon"
)

func TestParsePatternRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no scheduler", `^/lsf/(?P<job>[0-9]+)`, "want SCHEDULER=REGEXP"},
		{"unknown scheduler", `moab=^/moab/(?P<job>[0-9]+)`, "want one of slurm, openpbs"},
		{"not anchored", `lsf=/lsf/(?P<job>[0-9]+)`, "must start with ^/"},
		{"anchored further on only", `lsf=^/[^/]+/lsf/(?P<job>[0-9]+)`, "literal name of a directory"},
		{"an alternative that is not anchored", `lsf=^/lsf/(?P<job>[0-9]+)|/x`, "literal name of a directory"},
		{"any case", `lsf=(?i)^/lsf/(?P<job>[0-9]+)`, "must start with ^/"},
		{"part of a name", `lsf=^/lsf[^/]*/(?P<job>[0-9]+)`, "literal name of a directory"},
		{"no expression", `lsf=^/lsf/(?P<job>[0-9]+`, "missing closing )"},
		{"no job", `lsf=^/lsf/[0-9]+`, "no group (?P<job>"},
		{"unknown group", `lsf=^/lsf/(?P<job>[0-9]+)/(?P<jobs>.*)`, "unknown group (?P<jobs>"},
		{"an index that ids don't have", `slurm=^/s/(?P<job>[0-9]+)_(?P<index>[0-9]+)`, "have no index"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePattern(tt.text)
			if !errors.Is(err, ErrPattern) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	var all []Pattern
	for _, text := range []string{
		`gridengine=^/UGE/(?P<job>[0-9]+)\.(?P<index>[0-9]+)`,
		`slurm=^/hpc/nodes/[a-z0-9]+/uid_(?P<uid>[0-9]+)/job_(?P<job>[0-9]+)(/step_(?P<step>[^/]+)(/task_(?P<task>[^/]+))?)?`,
		`openpbs=^/pbs_v2\.slice/(?P<job>[^/]+)`,
		`torque=^/torque/(?P<job>9.*)`,
	} {
		all = append(all, mustPattern(t, text))
	}
	m := New(Config{Patterns: all})
	for _, tt := range []evidenceCase{
		{name: "index", cgroup: "cpuset /UGE/12.3", want: "job 12.3 raw 12.3 by cgroup"},
		{name: "all parts", cgroup: "/hpc/nodes/n1/uid_1001/job_5/step_4294967291/task_2/x", want: "job 5 raw 5 step batch task 2 uid 1001 by cgroup"},
		{name: "some parts", cgroup: "/hpc/nodes/n1/uid_1001/job_5", want: "job 5 raw 5 uid 1001 by cgroup"},
		{name: "a task that is no number", cgroup: "/hpc/nodes/n1/uid_1001/job_5/step_0/task_special", want: "job 5 raw 5 step 0 uid 1001 by cgroup"},
		{name: "another user's", cgroup: "/hpc/nodes/n1/uid_1002/job_5", want: "none cgroup says 5"},
		{name: "no user id", cgroup: "/hpc/nodes/n1/uid_99999999999/job_5", want: "none"},
		{name: "further down", cgroup: "/user.slice/hpc/nodes/n1/uid_1001/job_5", want: "none"},
		{name: "brackets", cgroup: "/pbs_v2.slice/2[3].srv", want: "job 2[3].srv raw 2[3].srv by cgroup"},
		{name: "no id", cgroup: "/pbs_v2.slice/evil id", want: "none"},
		{name: "built-in layouts come first", cgroup: "memory /torque/9.srv/R0.t1", want: "job 9.srv raw 9.srv by cgroup"},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, m) })
	}
}

// FuzzPattern holds that no path that a user can make passes a pattern, and
// that what is taken for an id is one.
func FuzzPattern(f *testing.F) {
	f.Add(`lsf=^/lsf/[^/]+/job\.(?P<job>[0-9]+)\.`, "/lsf/c1/job.12.1.2")
	f.Add(`lsf=^/a/(?P<job>.*)`, "/a/12[3]")
	f.Add(`torque=^/a/(?P<job>.*)|^/(?P<index>)`, "/a/")
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := ParsePattern(text)
		if err != nil {
			if !errors.Is(err, ErrPattern) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		m := New(Config{Patterns: []Pattern{p}})
		for _, below := range []string{"", "/user.slice/user-1001.slice/user@1001.service"} {
			c := m.rules.patterns[0].claim(below + path)
			if c.none() {
				continue
			}
			if below != "" && !strings.HasPrefix(p.literal, "/user.slice/") {
				t.Errorf("%q takes %q", text, below+path)
			}
			if !schedulers[c.scheduler].isID(c.rawID) {
				t.Errorf("%q takes %q for an id", text, c.rawID)
			}
		}
		m.Job(&procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{{Path: path}}}, procmon.Job{})
	})
}

func TestIDs(t *testing.T) {
	for _, tt := range []struct {
		scheduler string
		good, bad string // parted by spaces
	}{
		{"slurm", "1 4294967295", "1.2 1_2 x 12345678901"},
		{"openpbs", "1 1.srv 2[3].srv", "1. x 2[].srv"},
		{"gridengine", "1 1.2", "1. .2 1.2.3 1[2] x"},
		{"lsf", "1 1[2]", "1[ 1[] 1[x] 1.2 [2] x 1[2]]"},
		{"htcondor", "12.3 s.example#12.3#1700000000", "12 12. s#12.3 #12.3#1 s#12.3# s#12.3#x ../s#12.3#1 a#b#12.3#1"},
		{"flux", "fTE9HHdZvi3 f1", "f TE9 fO f0 fTE9HHdZvi3TE9 f/1 ƒ1"},
	} {
		isID := schedulers[schedulerIndex(tt.scheduler)].isID
		for id := range strings.FieldsSeq(tt.good) {
			if !isID(id) {
				t.Errorf("%s: %q is refused", tt.scheduler, id)
			}
		}
		for id := range strings.FieldsSeq(tt.bad) {
			if isID(id) {
				t.Errorf("%s: %q is taken", tt.scheduler, id)
			}
		}
		if isID("") {
			t.Errorf("%s takes an empty id", tt.scheduler)
		}
	}
}
