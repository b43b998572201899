package report_test

import (
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
