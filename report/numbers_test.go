package report_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/report"
	"procmon/report/reporttest"
)

// A job counts once however often it was requeued and whoever claims it, and a user
// once however many numbers the name has: in rows and in the whole.
func TestNumbersOfJobsAndUsers(t *testing.T) {
	requeued, claimed := reporttest.SlurmJob("7", "7", "0", "alice", "chem"), reporttest.SlurmJob("7", "7", "0", "alice", "chem")
	requeued.Restart = 1
	claimed.Evidence = procmon.EvidenceEnviron
	for f := range claimed.By {
		claimed.By[f] = procmon.EvidenceEnviron
	}
	md, tool := procmon.Application{Name: "MD", Kind: procmon.KindApplication}, procmon.Application{Name: "Tool", Version: "1", Kind: procmon.KindApplication}
	var records []procmon.Record
	for i, r := range []reporttest.Run{
		{User: "alice", UID: 1001, Application: md, Job: reporttest.SlurmJob("7", "7", "0", "alice", "chem")},
		{User: "alice", UID: 1001, Application: md, Job: requeued},
		{User: "bob", UID: 1002, Application: md, Job: claimed},
		{User: "alice", UID: 2001, Application: tool, Job: reporttest.SlurmJob("8", "8", "0", "alice", "chem")},
		{User: "alice", UID: 1001, Application: tool, Job: reporttest.SlurmJob("7", "7", "1", "alice", "chem")},
		{User: "carol", UID: 1003, Application: tool},
	} {
		r.At, r.PID, r.Elapsed = reporttest.Now.Add(time.Duration(i-50)*time.Hour), int32(100+i), time.Second
		records = append(records, r.Record())
	}
	path := reporttest.Write(t, "n1", records...)
	for _, q := range []report.Query{{Now: reporttest.Now}, {Now: reporttest.Now, Allocated: true}} { // which reads other views
		q.By = []report.Dimension{report.Application}
		table, err := report.Summarize(t.Context(), open(t, path), q)
		if err != nil {
			t.Fatal(err)
		}
		column := func(name string) int {
			return slices.IndexFunc(table.Columns, func(c report.Column) bool { return c.Name == name })
		}
		got := map[any][2]any{}
		for _, row := range append(table.Rows, table.Total) {
			got[row[0]] = [2]any{row[column("jobs")], row[column("users")]}
		}
		want := map[any][2]any{"MD": {int64(1), int64(2)}, "Tool": {int64(2), int64(2)}, nil: {int64(2), int64(3)}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", table.Source, diff)
		}
	}
}

// Whatever names look like, and however it is asked, jobs and users are as many as
// the views tell that have each of them.
func TestNumbersAsFromOtherViews(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 9))
	odd := []string{"a,b", "\u65e5\u672c, \"x\"", "<script>", "\u2028", "3.10", "1e3", "GROMACS", "gromacs", "null", "\xff\xfe"}
	var records []procmon.Record
	for _, run := range randomRuns(r, 300) {
		if run.Application.Name != "" && r.IntN(2) == 0 {
			run.Application.Name, run.Application.Version = odd[r.IntN(len(odd))], odd[r.IntN(len(odd))]
		}
		if run.Job.RawID != "" {
			run.Job.Restart, run.Job.Cluster = r.IntN(3), []string{"", "c1"}[r.IntN(2)]
			if r.IntN(4) == 0 { // a claim
				run.Job.Evidence = procmon.EvidenceEnviron
				for f := range run.Job.By {
					run.Job.By[f] = procmon.EvidenceEnviron
				}
			}
		}
		records = append(records, run.Record())
	}
	db := open(t, reporttest.Write(t, "n1", records...))
	for range 100 {
		q := randomQuestion(r, odd)
		var got [2]any
		for i := range got {
			q.Who = i == 1 // then users are told by name
			table, err := report.Summarize(t.Context(), db, q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if (table.Source == "totals") != (i == 0) {
				t.Fatalf("%+v was answered from %s", q, table.Source)
			}
			table.Rows = append(table.Rows, table.Total)
			got[i] = [][]any{column(t, &table.Grid, string(q.By[0])), column(t, &table.Grid, "jobs"), column(t, &table.Grid, "users"), column(t, &table.Grid, "runs"), {table.RowCount, table.LeftOut.Runs}}
		}
		if diff := cmp.Diff(got[1], got[0]); diff != "" {
			t.Fatalf("%+v (-by name +from used):\n%s", q, diff)
		}
	}
}

// randomQuestion is one that totals and used can answer.
func randomQuestion(r *rand.Rand, applications []string) report.Query {
	dimensions := []report.Dimension{report.Application, report.Version, report.Kind, report.Day, report.Month}
	r.Shuffle(len(dimensions), func(i, j int) { dimensions[i], dimensions[j] = dimensions[j], dimensions[i] })
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	q := report.Query{By: dimensions[:1+r.IntN(3)], All: r.IntN(2) == 0, Limit: r.IntN(3) * 2, Now: reporttest.Now.Add(time.Second)}
	q.Sort = []string{"", "jobs", "users", "-jobs", "runs"}[r.IntN(5)]
	if r.IntN(2) == 0 {
		q.Since = midnight.AddDate(0, 0, -r.IntN(4))
		q.Compare = !slices.Contains(q.By, report.Day) && !slices.Contains(q.By, report.Month)
	} else if r.IntN(2) == 0 {
		q.Until = midnight.AddDate(0, 0, -r.IntN(3))
	}
	if r.IntN(2) == 0 {
		q.Filters = []report.Filter{{By: report.Application, Values: []string{applications[r.IntN(len(applications))], "(unknown)"}[:1+r.IntN(2)]}}
	}
	if r.IntN(3) == 0 {
		q.Filters = append(q.Filters, report.Filter{By: report.Day, Values: []string{midnight.AddDate(0, 0, -1).Format(time.DateOnly)}})
	}
	return q
}
