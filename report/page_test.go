package report_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"testing"
	"time"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

func openSmall(t *testing.T, path string) *sql.DB {
	t.Helper()
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.DB()
}

func page(ctx context.Context, t *testing.T, db report.Querier, q report.Query) *report.Page {
	t.Helper()
	q.Now = reporttest.Now
	p, err := report.SummarizePage(ctx, db, q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every chart but that of versions adds up to the table's total, whatever the table leaves out.
func TestChartsSpeakOfTheTablesRuns(t *testing.T) {
	db := openSmall(t, reporttest.Small(t))
	since := reporttest.Now.AddDate(0, 0, -10).Truncate(24 * time.Hour)
	for _, c := range []struct {
		name   string
		q      report.Query
		charts []report.Dimension
	}{
		{"by application", report.Query{By: []report.Dimension{report.Application}, Since: since}, []report.Dimension{report.Application, report.Day, report.User, report.Version}},
		{"with shells", report.Query{By: []report.Dimension{report.Application}, Since: since, All: true}, []report.Dimension{report.Application, report.Day, report.User, report.Version}},
		{"by account, from the beginning", report.Query{By: []report.Dimension{report.Account}}, []report.Dimension{report.Application, report.Day, report.Account, report.Version}},
		{"one user, a year", report.Query{By: []report.Dimension{report.Host}, Since: since.AddDate(-1, 0, 0), Filters: []report.Filter{{By: report.User, Values: []string{"bob"}}}},
			[]report.Dimension{report.Application, report.Month, report.Account, report.Version}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := page(t.Context(), t, db, c.q)
			var total float64
			for i, column := range p.Table.Columns {
				if column.Name == "cpu_seconds" {
					total = p.Table.Total[i].(float64)
				}
			}
			if len(p.Charts) != len(c.charts) {
				t.Fatalf("%d charts", len(p.Charts))
			}
			for i, chart := range p.Charts {
				sum := chart.Rest
				for _, b := range chart.Bars {
					sum += b.CPUSeconds
				}
				if chart.By != c.charts[i] {
					t.Errorf("chart %d is by %s, want %s", i, chart.By, c.charts[i])
				}
				if chart.By == report.Version {
					if chart.Of != "GROMACS" || len(chart.Bars) == 0 {
						t.Errorf("%d versions of %q", len(chart.Bars), chart.Of)
					}
				} else if math.Abs(sum-total) > 1e-6 {
					t.Errorf("by %s %v s, the table has %v s", chart.By, sum, total)
				}
			}
		})
	}
}

func TestDaysWithoutRunsHaveBars(t *testing.T) {
	p := page(t.Context(), t, openSmall(t, reporttest.Small(t)), report.Query{
		By: []report.Dimension{report.User}, Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	})
	days := p.Charts[1]
	if len(days.Bars) != 22 || days.Bars[0].Label != "2026-11-01" || days.Bars[0].CPUSeconds != 0 || days.Bars[21].Label != "2026-11-22" || days.More != 0 {
		t.Errorf("%d bars from %v to %v, %d more", len(days.Bars), days.Bars[0].Label, days.Bars[len(days.Bars)-1].Label, days.More)
	}
}

// However many rows and values there are, a page stays small and says what it lacks.
func TestPageIsBounded(t *testing.T) {
	var records []procmon.Record
	for i := range report.PageRows + 50 {
		records = append(records, reporttest.Run{
			At: reporttest.Now.Add(-time.Duration(i) * time.Second), PID: int32(i + 10), User: fmt.Sprintf("u%04d", i), UID: uint32(2000 + i),
			Exe: fmt.Sprintf("/home/u%d/a", i), Args: []string{"a"}, Elapsed: time.Second, CPU: time.Second,
		}.Record())
	}
	p := page(t.Context(), t, openSmall(t, reporttest.Write(t, "n1", records...)), report.Query{By: []report.Dimension{report.User}})
	if len(p.Table.Rows) != report.PageRows || p.Table.RowCount != report.PageRows+50 {
		t.Errorf("%d of %d rows", len(p.Table.Rows), p.Table.RowCount)
	}
	users := p.Charts[2]
	if len(users.Bars)+users.More != report.PageRows+50 || len(users.Bars) > 20 || math.Abs(users.Rest-float64(users.More)) > 1e-6 {
		t.Errorf("%d bars, %d more with %v s", len(users.Bars), users.More, users.Rest)
	}
}

func TestNothingHasNoCharts(t *testing.T) {
	p := page(t.Context(), t, openSmall(t, reporttest.Small(t)), report.Query{
		By: []report.Dimension{report.Application}, Filters: []report.Filter{{By: report.User, Values: []string{"nobody"}}},
	})
	if len(p.Table.Rows) != 0 || p.Charts != nil {
		t.Errorf("%d rows, %d charts", len(p.Table.Rows), len(p.Charts))
	}
}
