package index

import (
	"database/sql"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

func TestExitOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		exit *procmon.Exit
		want sql.NullInt64
	}{
		{"not known", nil, sql.NullInt64{}},
		{"success", &procmon.Exit{}, sql.NullInt64{Int64: 0, Valid: true}},
		{"code", &procmon.Exit{Code: 255}, sql.NullInt64{Int64: 255, Valid: true}},
		{"signal", &procmon.Exit{Signal: 9}, sql.NullInt64{Int64: 256 + 9, Valid: true}},
		{"a signal's code means nothing", &procmon.Exit{Code: 1, Signal: 9}, sql.NullInt64{Int64: 256 + 9, Valid: true}},
		{"out of range", &procmon.Exit{Code: 0x1ff}, sql.NullInt64{Int64: 255, Valid: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitOf(tt.exit); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTaskOf(t *testing.T) {
	for _, tt := range []struct {
		task string
		want any
	}{
		{"", nil}, {"0", int64(0)}, {"17", int64(17)}, {"017", "017"}, {"-1", "-1"}, {"+1", "+1"}, {"special", "special"},
		{"99999999999999999999", "99999999999999999999"}, {"a\x00", "a\uFFFD"},
	} {
		if got := taskOf(tt.task); got != tt.want {
			t.Errorf("taskOf(%q) = %v, want %v", tt.task, got, tt.want)
		}
	}
}

func TestParentOf(t *testing.T) {
	id := func(pid int32, start procmon.Ticks, exec procmon.BootNS) procmon.RunID {
		return procmon.RunID{Process: procmon.ProcessID{PID: pid, Start: start}, Exec: exec}
	}
	for _, tt := range []struct {
		name      string
		parent, r procmon.RunID
		want      any
	}{
		{"not known", procmon.RunID{}, id(2, 200, 2e9), nil},
		{"exec after exec", id(1, 100, 1_000_001_000), id(2, 200, 2_000_002_000), int64(1_000_001)},
		{"parent found alive", id(1, 100, 0), id(2, 200, 2e9), int64(1_000_000)},
		{"both found alive", id(1, 100, 0), id(2, 150, 0), int64(500_000)},
		{"no start at all", id(1, 0, 0), id(2, 200, 2e9), nil},
		{"the parent exec'ed later", id(1, 100, 3e9), id(2, 200, 2e9), int64(-1_000_000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parentOf(&procmon.Run{Parent: tt.parent, Process: &procmon.Process{Run: tt.r}}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRaise(t *testing.T) {
	var c sql.NullInt64
	for _, tt := range []struct{ to, diff, now int64 }{{0, 0, 0}, {5, 5, 5}, {3, 0, 5}, {9, 4, 9}, {-1, 0, 9}} {
		diff := int64(-77)
		raise(&c, tt.to, &diff)
		if diff != tt.diff || c.Int64 != tt.now || !c.Valid {
			t.Errorf("to %d: diff %d, now %v", tt.to, diff, c)
		}
	}
}

func TestBetter(t *testing.T) {
	const none, environ, cgroup, facts = procmon.EvidenceNone, procmon.EvidenceEnviron, procmon.EvidenceCgroup, procmon.EvidenceFacts
	for _, tt := range []struct {
		e, old procmon.Evidence
		want   bool
	}{
		{environ, none, true}, {none, environ, false}, {environ, environ, false}, {cgroup, environ, true}, {environ, cgroup, false},
		{cgroup, cgroup, false}, {facts, cgroup, true}, {facts, facts, true}, {cgroup, facts, false},
	} {
		if got := better(tt.e, tt.old); got != tt.want {
			t.Errorf("%v over %v: %v", tt.e, tt.old, got)
		}
	}
}

func TestColumns(t *testing.T) {
	if got := bytesOf(math.MaxUint64); got != math.MaxInt64 {
		t.Errorf("bytesOf wraps: %d", got)
	}
	if got := microsOf(time.Time{}); got != nil {
		t.Errorf("the zero time is %v", got)
	}
	if got := microsOf(t0); timeOf(sql.NullInt64{Int64: got.(int64), Valid: true}) != t0 {
		t.Errorf("%v does not come back", got)
	}
	if known("") != nil || known("a") != "a" || positive(0) != nil || positive(-1) != nil || positive(3) != 3 {
		t.Error("what is unknown is not NULL")
	}
	a, b := hashOf([]any{"ab", "c", nil}), hashOf([]any{"a", "bc", nil})
	if a == b || a == hashOf([]any{"ab", "c", ""}) || a != hashOf([]any{"ab", "c", nil}) {
		t.Error("hashes take neighbours together")
	}
}

func TestSchemaState(t *testing.T) {
	ours := func(version int) schemaState { return schemaState{applicationID, version, 20} }
	for _, tt := range []struct {
		name          string
		state         schemaState
		newest        int
		writer, readr error
	}{
		{"empty", schemaState{}, 2, nil, ErrNone},
		{"current", ours(2), 2, nil, nil},
		{"older", ours(1), 2, nil, ErrOlder},
		{"newer", ours(3), 2, ErrNewer, ErrNewer},
		{"foreign", schemaState{0, 0, 3}, 2, ErrForeign, ErrForeign},
		{"foreign and empty, but with a version", schemaState{0, 5, 0}, 2, ErrForeign, ErrForeign},
		{"another application's", schemaState{7, 2, 3}, 2, ErrForeign, ErrForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			says(t, tt.state.check(tt.newest), tt.writer, "")
			says(t, tt.state.checkForReader(tt.newest), tt.readr, "")
		})
	}
}

// TestFlags: what Go packs is what the views unpack.
func TestFlags(t *testing.T) {
	r := aRun()
	r.Adopted, r.Unknown, r.Job.Evidence = true, true, procmon.EvidenceFacts
	r.Job.By[procmon.JobTask] = procmon.EvidenceEnviron
	if got, want := flagsOf(r, true, true), flagOpen|flagAdopted|flagUnknown|flagCut|flagTaskUnproved|flagTold|5<<flagEvidenceShift; got != want {
		t.Errorf("%b, want %b", got, want)
	}
	w := mustOpen(t, testOptions(t))
	for n := range 6 {
		mustWrite(t, w, whole(with(func(r *procmon.Run) {
			other(r, n)
			r.Job.RawID = []string{"1", "2", "3", "4", "5", "6"}[n]
			r.Job.Evidence = procmon.Evidence(n)
			r.Job.By = evidence(procmon.EvidenceFacts, map[procmon.JobField]procmon.Evidence{
				procmon.JobField(2*n - 1): procmon.EvidenceEnviron, procmon.JobField(2 * n): procmon.EvidenceEnviron})
		})))
	}
	got := dump(t, mustRead(t, w), "SELECT job_evidence AS e, unproved AS u FROM runs ORDER BY run_id")
	want := []map[string]any{
		{"u": "id"}, {"e": "environ", "u": "raw_id,cluster"}, {"e": "parent", "u": "step_id,task_id"}, {"e": "ancestor", "u": "user,account"},
		{"e": "cgroup", "u": "partition,name"}, {"e": "facts", "u": "restart"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestScriptOf(t *testing.T) {
	for _, tt := range []struct{ script, job, want string }{
		{"/var/spool/slurmd/job00042/slurm_script", "42", "/var/spool/slurmd/job%j/slurm_script"},
		{"/var/spool/slurmd/job00042/slurm_script", "43", "/var/spool/slurmd/job00042/slurm_script"},
		{"/var/spool/slurmd/job123456/slurm_script", "123456", "/var/spool/slurmd/job%j/slurm_script"},
		{"/var/spool/slurmd/job00042/slurm_script", "", "/var/spool/slurmd/job00042/slurm_script"},
		{"/home/u/job00042/run.sh", "42", "/home/u/job00042/run.sh"},
		{"/var/spool/pbs/mom_priv/jobs/7.server.SC", "7.server", "/var/spool/pbs/mom_priv/jobs/%j.SC"},
		{"job0/slurm_script", "", "job0/slurm_script"},
		{"slurm_script", "1", "slurm_script"},
		{"", "1", ""},
	} {
		if got := scriptOf(tt.script, tt.job); got != tt.want {
			t.Errorf("%q of job %q: %q, want %q", tt.script, tt.job, got, tt.want)
		}
	}
}
