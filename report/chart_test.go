package report_test

import (
	"context"
	"database/sql"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

// tallest are the first bars of a report by one dimension, and the days or months of it that have any.
func tallest(t *testing.T, db report.Querier, q report.Query, c *report.Chart) []report.Bar {
	t.Helper()
	leaves := !q.All && (slices.Contains(q.By, report.Application) || slices.Contains(q.By, report.Version))
	q.Filters = slices.Clone(q.Filters)
	if leaves {
		q.Filters = append(q.Filters, report.Filter{By: report.Kind, Values: []string{"application", "script", "interpreter", "compiler", "unknown"}})
	}
	if c.By == report.Version {
		q.Filters = append(q.Filters, report.Filter{By: report.Application, Values: []string{c.Of}})
	}
	q.By, q.All, q.Compare, q.Limit, q.Sort = []report.Dimension{c.By}, true, false, 12, ""
	if c.By == report.Day || c.By == report.Month {
		q.Limit = 0
	}
	table, err := report.Summarize(t.Context(), db, q)
	if err != nil {
		t.Fatal(err)
	}
	labels, cpu, runs := column(t, &table.Grid, string(c.By)), column(t, &table.Grid, "cpu_seconds"), column(t, &table.Grid, "runs")
	var bars []report.Bar
	for i := range labels {
		seconds, _ := cpu[i].(float64)
		bars = append(bars, report.Bar{Label: labels[i], CPUSeconds: seconds, Runs: runs[i].(int64)})
	}
	return bars
}

// A chart shows what a report by its dimension tells of the same runs, from one index and from several.
func TestChartsAreReports(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 8))
	whole, parts := split(t, r, "n1", "n2", "n3")
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	drawn := 0
	for _, db := range []report.Querier{open(t, whole), several(t, parts...)} {
		for _, by := range dimensionSets(r) {
			q := []report.Query{
				{}, {Since: midnight.AddDate(0, 0, -2), Until: midnight, All: true}, {Since: reporttest.Now.Add(-50 * time.Hour)},
				{Filters: []report.Filter{{By: report.Account, Values: []string{"chem"}}, {By: report.Host, Values: []string{"n1", "n2"}}}},
			}[r.IntN(4)]
			q.By, q.Now = by, reporttest.Now
			p, err := report.SummarizePage(t.Context(), db, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Charts {
				drawn++
				got := c.Bars
				if c.By == report.Day || c.By == report.Month { // those without runs stand there too
					got = slices.DeleteFunc(got, func(b report.Bar) bool { return b.Runs == 0 && b.CPUSeconds == 0 })
				}
				want := tallest(t, db, q, &c)
				if !slices.EqualFunc(got, want, func(a, b report.Bar) bool {
					return a.Label == b.Label && a.Runs == b.Runs && math.Abs(a.CPUSeconds-b.CPUSeconds) < 1e-6
				}) {
					t.Fatalf("%+v: chart by %s: %v, the report has %v", q, c.By, got, want)
				}
			}
		}
	}
	if drawn < 100 {
		t.Errorf("only %d charts", drawn)
	}
}

// The period before is another one's: charts are of this one.
func TestChartsBesideAComparison(t *testing.T) {
	p := page(t.Context(), t, openSmall(t, reporttest.Small(t)), report.Query{
		By: []report.Dimension{report.User}, Since: reporttest.Now.Truncate(24 * time.Hour), Compare: true,
	})
	if len(p.Charts) == 0 || len(p.Charts[0].Bars) != 2 { // of the day before there are more
		t.Errorf("%+v", p.Charts)
	}
}

// written is an index that grows before each question.
type written struct {
	report.Querier
	grow func()
}

func (w written) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	w.grow()
	return w.Querier.QueryContext(ctx, query, args...)
}

// Table and charts of a transaction speak of one moment while a daemon writes.
func TestPageOfAnIndexThatIsWritten(t *testing.T) {
	path := reporttest.Small(t)
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var records []procmon.Record
	grow := func() {
		run := reporttest.Run{At: reporttest.Now.Add(-time.Minute), PID: int32(5000 + len(records)), User: "carol", UID: 1009, Exe: "/opt/x", Args: []string{"x"}, CPU: time.Hour, Elapsed: time.Second}
		records = append(records, run.Record())
		reporttest.Append(t, path, "n1", records[len(records)-1])
	}
	differ := func(db report.Querier) bool {
		p := page(t.Context(), t, written{db, grow}, report.Query{By: []report.Dimension{report.Host}, Since: reporttest.Now.AddDate(0, 0, -5)})
		sum := p.Charts[0].Rest
		for _, b := range p.Charts[0].Bars {
			sum += b.CPUSeconds
		}
		return math.Abs(sum-sumOf(t, p.Table, "cpu_seconds")) > 1e-6
	}
	tx, err := r.DB().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if differ(tx) {
		t.Error("charts tell another story than the table")
	}
	if len(records) < 2 || !differ(r.DB()) {
		t.Error("this test does not test: nothing was written between")
	}
}
