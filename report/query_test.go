package report_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/report"
	"procmon/report/reporttest"
)

func TestNearest(t *testing.T) {
	known := []string{"by", "by-application", "user", "users", "since", "cpu_seconds"}
	for name, want := range map[string]string{
		"by-appl1cation": "by-application", "usr": "user", "users": "users", "snice": "since", "cpu": "cpu_seconds",
		"": "", "zzzzzz": "", strings.Repeat("x", 1000): "", "SINCE": "since", "by-app": "by-application",
	} {
		if got := report.Nearest(name, known); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
}

func TestQueriesThatMakeNoSense(t *testing.T) {
	db := open(t, reporttest.Small(t))
	now := reporttest.Now
	var name *report.UnknownError
	for what, q := range map[string]report.Query{
		"no time of asking": {},
		"backwards":         {Now: now, Since: now, Until: now.Add(-time.Second)},
		"empty":             {Now: now, Since: now, Until: now},
		"future":            {Now: now, Since: now.Add(time.Hour), Until: now.Add(2 * time.Hour)},
		"limit":             {Now: now, Limit: -1},
	} {
		if _, err := report.Summarize(t.Context(), db, q); !errors.Is(err, report.ErrQuery) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	for what, q := range map[string]report.Query{
		"dimension": {Now: now, By: []report.Dimension{"colour"}},
		"filter":    {Now: now, Filters: []report.Filter{{By: "colour"}}},
		"column":    {Now: now, Sort: "runs; DROP TABLE t_run"},
		"kind":      {Now: now, Filters: []report.Filter{{By: report.Kind, Values: []string{"toy"}}}},
	} {
		if _, err := report.Summarize(t.Context(), db, q); !errors.As(err, &name) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// Values are arguments, never SQL.
func TestFilterValuesAreNotSQL(t *testing.T) {
	db := open(t, reporttest.Small(t))
	for _, d := range report.Dimensions {
		if d == report.Kind {
			continue
		}
		q := report.Query{Now: reporttest.Now, Filters: []report.Filter{{By: d, Values: []string{"x' OR 1=1 --", `";`}}}}
		table, err := report.Summarize(t.Context(), db, q)
		if err != nil || len(table.Rows) != 0 {
			t.Errorf("%s: %d rows, error %v", d, len(table.Rows), err)
		}
	}
}

func TestRangesOfPrunedIndexes(t *testing.T) {
	db := open(t, reporttest.Small(t))
	day := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name         string
		q            report.Query
		source       string
		since, until time.Time
		notes        []string
	}{
		{"whole days", report.Query{Since: day(20, 0), Until: day(22, 0)}, "usage", day(20, 0), day(22, 0), nil},
		{"until now", report.Query{Since: day(20, 0)}, "usage", day(20, 0), reporttest.Now, nil},
		{"hours", report.Query{Since: day(21, 8), Until: day(21, 9)}, "runs", day(21, 8), day(21, 9), nil},
		{"hours that are kept", report.Query{Since: day(21, 8), Until: day(21, 9), RunsFrom: day(21, 8)}, "runs", day(21, 8), day(21, 9), nil},
		{"hours that were pruned", report.Query{Since: day(21, 8), Until: day(21, 9), RunsFrom: day(21, 9)}, "usage", day(21, 0), day(22, 0),
			[]string{"Single runs are kept since 2026-11-21T09:00:00Z only: the range is widened to whole days (UTC)."}},
		{"days that were pruned", report.Query{Since: day(1, 0), UsageFrom: day(20, 0)}, "usage", day(1, 0), reporttest.Now,
			[]string{"What ran before 2026-11-20 (UTC) is not in the index any more."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Now, c.q.By = reporttest.Now, []report.Dimension{report.Host}
			table, err := report.Summarize(t.Context(), db, c.q)
			if err != nil {
				t.Fatal(err)
			}
			if table.Source != c.source || !table.Query.Since.Equal(c.since) || !table.Query.Until.Equal(c.until) {
				t.Errorf("from %s, %s to %s", table.Source, table.Query.Since, table.Query.Until)
			}
			if diff := cmp.Diff(c.notes, table.Notes); diff != "" {
				t.Errorf("notes, -want +got:\n%s", diff)
			}
		})
	}
}

// Rows that are left out are in no row, not only not in the total.
func TestLeftOutAreInNoRow(t *testing.T) {
	db := open(t, reporttest.Small(t))
	table, err := report.Summarize(t.Context(), db, report.Query{By: []report.Dimension{report.Application, report.Kind}, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{"application", "unknown", "interpreter"}
	if diff := cmp.Diff(want, column(t, &table.Grid, "kind")); diff != "" {
		t.Errorf("kinds, -want +got:\n%s", diff)
	}
}

// A range has its first moment and not its last.
func TestRangeEnds(t *testing.T) {
	at := reporttest.Now.Add(-time.Hour)
	run := reporttest.Run{At: at, PID: 5, User: "a", UID: 1000, Exe: "/bin/a", Args: []string{"a"}, Elapsed: time.Minute, CPU: time.Second}
	db := open(t, reporttest.Write(t, "n1", run.Record()))
	for _, c := range []struct {
		name         string
		since, until time.Time
		runs         int64
		cpu          float64
	}{
		{"start is its first moment", at, at.Add(time.Second), 1, 0},
		{"start is its end", at.Add(-time.Second), at, 0, 0},
		{"end is its first moment", at.Add(time.Minute), at.Add(2 * time.Minute), 0, 1},
		{"end is its end", at.Add(time.Second), at.Add(time.Minute), 0, 0},
		{"both", at, at.Add(time.Minute + time.Microsecond), 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := report.Summarize(t.Context(), db, report.Query{Since: c.since, Until: c.until, Now: reporttest.Now})
			if err != nil {
				t.Fatal(err)
			}
			var runs int64
			var cpu float64
			if len(table.Rows) > 0 {
				runs, _ = column(t, &table.Grid, "runs")[0].(int64)
				cpu, _ = column(t, &table.Grid, "cpu_seconds")[0].(float64)
			}
			if runs != c.runs || cpu != c.cpu || table.Source != "runs" {
				t.Errorf("%d runs, %v s from %s; want %d, %v", runs, cpu, table.Source, c.runs, c.cpu)
			}
		})
	}
}

func TestVersionsAreInTheirOrder(t *testing.T) {
	var records []procmon.Record
	for i, version := range []string{"2023.10", "2023.9", "2023.09.1", "", "1.0rc1", "1.0", "10.0", "v2"} {
		records = append(records, reporttest.Run{
			At: reporttest.Now.Add(-time.Hour), PID: int32(5 + i), User: "a", UID: 1000, Exe: "/bin/a", Args: []string{"a"},
			Application: procmon.Application{Name: "A", Version: version, Kind: procmon.KindApplication},
		}.Record())
	}
	db := open(t, reporttest.Write(t, "n1", records...))
	table, err := report.Summarize(t.Context(), db, report.Query{By: []report.Dimension{report.Application}, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{[]string{"1.0", "1.0rc1", "10.0", "2023.9", "2023.09.1", "2023.10", "v2"}}
	if diff := cmp.Diff(want, column(t, &table.Grid, "versions")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLeftOutAndUnnamed(t *testing.T) {
	db := open(t, reporttest.Small(t))
	byApp := []report.Dimension{report.Application}
	for _, c := range []struct {
		name          string
		q             report.Query
		runs          int64
		left, unnamed int64
	}{
		{"by application", report.Query{By: byApp}, 9, 2, 2},
		{"all", report.Query{By: byApp, All: true}, 11, 0, 2},
		{"a kind", report.Query{By: byApp, Filters: []report.Filter{{By: report.Kind, Values: []string{"shell"}}}}, 1, 0, 0},
		{"an application", report.Query{By: byApp, Filters: []report.Filter{{By: report.Application, Values: []string{"BASH"}}}}, 1, 0, 0},
		{"by user", report.Query{By: []report.Dimension{report.User}}, 11, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Now = reporttest.Now
			table, err := report.Summarize(t.Context(), db, c.q)
			if err != nil {
				t.Fatal(err)
			}
			total := report.Grid{Columns: table.Columns, Rows: [][]any{table.Total}}
			if got := column(t, &total, "runs")[0]; got != c.runs {
				t.Errorf("%v runs, want %d", got, c.runs)
			}
			if table.LeftOut.Runs != c.left || table.Unnamed.Runs != c.unnamed {
				t.Errorf("left out %d, unnamed %d; want %d, %d", table.LeftOut.Runs, table.Unnamed.Runs, c.left, c.unnamed)
			}
		})
	}
}
