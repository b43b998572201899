package report_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

func several(t *testing.T, paths ...string) *index.Several {
	t.Helper()
	s, err := index.OpenSeveral(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// split writes the same records into one index, and into one for each host.
func split(t *testing.T, r *rand.Rand, hosts ...string) (whole string, parts []string) {
	t.Helper()
	records := make(map[string][]procmon.Record)
	for _, run := range randomRuns(r, 300) {
		host := hosts[r.IntN(len(hosts))]
		if id := run.Job.RawID; id != "" { // all indexes know the same of a job
			run.Job = reporttest.SlurmJob(id, id, run.Job.Step, "alice", []string{"chem", "bio"}[id[0]%2])
		}
		records[host] = append(records[host], run.Record())
	}
	at := reporttest.Now.Add(-30 * time.Hour)
	for i, host := range hosts {
		j := reporttest.SlurmJob("1", "1", "", "alice", "chem")
		j.UID = 1001
		records[host] = append(records[host],
			procmon.Record{Time: at, Summary: &procmon.JobSummary{Job: j, CPUs: 4 + i, GPUs: i, Start: at, End: at.Add(time.Duration(i+1) * time.Hour)}},
			procmon.Record{Time: at, Seq: 1, Loss: &procmon.Loss{Count: uint64(10 + i), CPU: -1, From: at, To: at.Add(time.Minute), Reason: procmon.LossBuffer, Where: "bpf"}})
	}
	dir := t.TempDir()
	whole = filepath.Join(dir, "whole.db")
	for _, host := range hosts {
		path := filepath.Join(dir, host+".db")
		reporttest.Append(t, whole, host, records[host]...)
		reporttest.Append(t, path, host, records[host]...)
		parts = append(parts, path)
	}
	return whole, parts
}

var near = cmp.Options{cmpopts.EquateApprox(1e-9, 1e-6), cmpopts.EquateApproxTime(2 * time.Millisecond)}

// What several indexes tell together is what one index of all would tell.
func TestSeveralIndexesAreOne(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 4))
	whole, parts := split(t, r, "n1", "n2", "n3")
	reporttest.Account(t, whole, reporttest.Accounted("77", reporttest.Now.Add(-9*time.Hour), time.Hour, 6, 0))
	for _, part := range parts { // into each of them: it counts once
		reporttest.Account(t, part, reporttest.Accounted("77", reporttest.Now.Add(-9*time.Hour), time.Hour, 6, 0))
	}
	one, all := open(t, whole), several(t, parts...)
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	for _, by := range dimensionSets(r) {
		for _, q := range []report.Query{
			{By: by, Allocated: true}, {By: by, Allocated: true, Since: midnight.AddDate(0, 0, -2), Until: midnight, Sort: "-runs", All: true},
			{By: by}, {By: by, Since: midnight.AddDate(0, 0, -2), All: true}, // one index has numbers of jobs and users ready
			{By: by, Since: reporttest.Now.Add(-50 * time.Hour), Limit: 3},
			{By: by, Filters: []report.Filter{{By: report.Account, Values: []string{"chem"}}}, Who: true},
		} {
			q.Now = reporttest.Now
			want, err := report.Summarize(t.Context(), one, q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := report.Summarize(t.Context(), all, q)
			if err != nil {
				t.Fatalf("by %v: %v", by, err)
			}
			if diff := cmp.Diff(want, got, near, cmpopts.IgnoreUnexported(report.Query{}), cmpopts.IgnoreFields(report.Table{}, "Source")); diff != "" {
				t.Fatalf("by %v, %+v (-one +several):\n%s", by, q, diff)
			}
		}
	}
}

// A job over several nodes is one job, also where each has an index of its own.
func TestJobInSeveralIndexes(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 5))
	whole, parts := split(t, r, "n1", "n2", "n3")
	for _, id := range []string{"1", "3"} {
		want, err := report.FindJob(t.Context(), open(t, whole), id, 1000, reporttest.Now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := report.FindJob(t.Context(), several(t, parts...), id, 1000, reporttest.Now)
		if err != nil {
			t.Fatal(err)
		}
		opts := cmp.Options{near, cmpopts.IgnoreUnexported(report.Query{}), cmpopts.IgnoreFields(report.Table{}, "Source"), cmp.Comparer(func(a, b map[string]bool) bool { return len(a) == len(b) })}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Errorf("job %s (-one +several):\n%.3000s", id, diff)
		}
	}
	wantHosts, err := report.SummarizeCoverage(t.Context(), open(t, whole), time.Time{}, time.Time{}, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	gotHosts, err := report.SummarizeCoverage(t.Context(), several(t, parts...), time.Time{}, time.Time{}, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantHosts, gotHosts, near); diff != "" {
		t.Errorf("coverage (-one +several):\n%s", diff)
	}
}

// A damaged index among several is told and left out.
func TestDamagedIsLeftOut(t *testing.T) {
	_, parts := split(t, rand.New(rand.NewPCG(seed(t), 6)), "n1", "n2", "n3")
	content, err := os.ReadFile(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	for i := 8192; i < len(content); i++ { // the header and the schema stay
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(parts[1], content, 0o600); err != nil {
		t.Fatal(err)
	}
	q := report.Query{By: []report.Dimension{report.Host}, Now: reporttest.Now, Sort: "host"}
	want, err := report.Summarize(t.Context(), several(t, parts[0], parts[2]), q)
	if err != nil {
		t.Fatal(err)
	}
	s := several(t, parts...)
	got, err := report.Summarize(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Rows, got.Rows, near); diff != "" {
		t.Errorf("(-without +with the damaged one)\n%s", diff)
	}
	if len(s.Left) != 1 || !strings.Contains(s.Left[0].Error(), parts[1]) {
		t.Errorf("left out: %v", s.Left)
	}
}

// An index that goes away after it was opened is told and left out, too.
func TestGoneIsLeftOut(t *testing.T) {
	_, parts := split(t, rand.New(rand.NewPCG(seed(t), 7)), "n1", "n2", "n3")
	s := several(t, parts...)
	if err := os.Remove(parts[1]); err != nil {
		t.Fatal(err)
	}
	q := report.Query{By: []report.Dimension{report.Host}, Now: reporttest.Now, Sort: "host"}
	got, err := report.Summarize(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || len(s.Left) != 1 || !errors.Is(s.Left[0], index.ErrNone) {
		t.Errorf("%d rows, left out: %v", len(got.Rows), s.Left)
	}
}
