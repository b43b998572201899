package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/report"
	"procmon/report/reporttest"
)

// TestLongRunsAreInTheirDays reports a run of three days, of 2 CPUs, while it
// goes on and when it has ended: each hour is in its day, once.
func TestLongRunsAreInTheirDays(t *testing.T) {
	start := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	const hours = 39 // to 13:00 on the 22nd
	told := func(phase procmon.Phase, n int) procmon.Record {
		r := reporttest.Run{At: start, PID: 7, User: "alice", UID: 1000, Exe: "/bin/a", Args: []string{"a"}, Open: true}.Record()
		at := start.Add(time.Duration(n) * time.Hour)
		r.Phase, r.Time = phase, at
		if n > 0 {
			r.Run.Usage = &procmon.Usage{User: time.Duration(2*n) * time.Hour, MaxRSS: 1 << 20}
		}
		if phase == procmon.End {
			r.Run.End, r.Run.Exit = at, &procmon.Exit{}
		}
		return r
	}
	var records []procmon.Record
	records = append(records, told(procmon.Start, 0))
	for n := range hours {
		records = append(records, told(procmon.Checkpoint, n+1), told(procmon.Checkpoint, n+1))
	}
	// 00:00 is a moment of the new day: the hour before it is told then.
	soFar := []any{1.0, 24.0, 14.0}
	for name, c := range map[string]struct {
		records []procmon.Record
		want    []any // hours by day
	}{
		"goes on": {records, soFar},
		"ended":   {append(append([]procmon.Record{}, records...), told(procmon.End, hours+1), told(procmon.End, hours+1), records[9]), []any{1.0, 24.0, 15.0}},
	} {
		t.Run(name, func(t *testing.T) {
			path := reporttest.Write(t, "n1", c.records...)
			reporttest.Append(t, path, "n1", c.records[len(c.records)-1])
			table, err := report.Summarize(t.Context(), open(t, path), report.Query{By: []report.Dimension{report.Day}, Now: reporttest.Now, All: true})
			if err != nil {
				t.Fatal(err)
			}
			var cpu, elapsed []any
			for _, v := range column(t, &table.Grid, "cpu_seconds") {
				cpu = append(cpu, v.(float64)/2/3600)
			}
			for _, v := range column(t, &table.Grid, "process_seconds") {
				elapsed = append(elapsed, v.(float64)/3600)
			}
			if diff := cmp.Diff(c.want, cpu); diff != "" {
				t.Errorf("CPU hours of each of 2 CPUs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, elapsed); diff != "" {
				t.Errorf("process-hours (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]any{int64(1), int64(0), int64(0)}, column(t, &table.Grid, "runs")); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}
