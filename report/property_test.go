package report_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

// open reads an index until the test ends.
func open(t testing.TB, path string) report.Querier {
	t.Helper()
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.DB()
}

// column gives one column of a table, by name.
func column(t testing.TB, table *report.Grid, name string) []any {
	t.Helper()
	for i, c := range table.Columns {
		if c.Name == name {
			var values []any
			for _, row := range table.Rows {
				values = append(values, row[i])
			}
			return values
		}
	}
	t.Fatalf("no column %q", name)
	return nil
}

// seed is REPORT_SEED, or a new one, which a failing test prints.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	if text := os.Getenv("REPORT_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("REPORT_SEED=%d repeats this", s)
		}
	})
	return s
}

// randomRuns are runs of a few users, jobs and applications over four days.
func randomRuns(r *rand.Rand, n int) []reporttest.Run {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	runs := make([]reporttest.Run, n)
	for i := range runs {
		uid := uint32(1000 + r.IntN(5))
		run := reporttest.Run{
			At:  reporttest.Now.Add(-time.Duration(r.Int64N(int64(96 * time.Hour)))),
			PID: int32(100 + i), PPID: 1, UID: uid, User: pick("", fmt.Sprintf("user%d", uid)),
			Exe: pick("/bin/a", "/apps/GROMACS/bin/gmx", "/usr/bin/python3", "/home/x/my prog"), Args: []string{pick("a", "b")},
			Elapsed: time.Duration(r.Int64N(int64(30 * time.Hour))).Truncate(time.Microsecond), CPU: time.Duration(r.Int64N(int64(time.Hour))).Truncate(10 * time.Microsecond),
			RSS: 1024 * (1 + r.Uint64N(1<<20)), Bound: r.IntN(3) == 0, Read: r.Uint64N(1 << 20), Write: r.Uint64N(1 << 20),
			Exit: procmon.Exit{Code: r.IntN(2)},
		}
		run.Elapsed = min(run.Elapsed, reporttest.Now.Sub(run.At))
		kind := procmon.AppKinds[r.IntN(len(procmon.AppKinds))]
		if kind != procmon.KindUnknown {
			run.Application = procmon.Application{Name: pick("GROMACS", "Python", "bash"), Version: pick("", "1.0", "2.0"), Kind: kind}
		}
		if r.IntN(3) > 0 {
			id := strconv.Itoa(1 + r.IntN(6))
			run.Job = reporttest.SlurmJob(id, id, pick("batch", "0", "1"), run.User, pick("", "chem", "bio"))
		}
		run.At = run.At.Truncate(time.Microsecond)
		runs[i] = run
	}
	return runs
}

// truth are the sums over single runs in a range: a run counts at its start,
// its costs at its end.
func truth(runs []reporttest.Run, since, until time.Time) (count, failed int64, cpu float64) {
	in := func(t time.Time) bool { return !t.Before(since) && t.Before(until) }
	for _, r := range runs {
		if in(r.At) {
			count++
		}
		if in(r.At.Add(r.Elapsed)) {
			cpu += r.CPU.Seconds()
			if r.Exit.Code != 0 {
				failed++
			}
		}
	}
	return count, failed, cpu
}

// Whatever a report is by, and whichever view answers it, its rows sum to
// what really ran.
func TestSumsByEveryDimensionAreTheTotal(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 1))
	runs := randomRuns(r, 400)
	var records [2][]procmon.Record
	for i, run := range runs {
		records[i%2] = append(records[i%2], run.Record())
	}
	path := filepath.Join(t.TempDir(), "procmon.db")
	for i, host := range []string{"n1", "n2"} {
		reporttest.Append(t, path, host, records[i]...)
	}
	db := open(t, path)
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	ranges := map[string]report.Query{
		"everything":  {},
		"whole days":  {Since: midnight.AddDate(0, 0, -2), Until: midnight},
		"some hours":  {Since: reporttest.Now.Add(-50 * time.Hour), Until: reporttest.Now.Add(-7 * time.Hour)},
		"since lunch": {Since: midnight.Add(12 * time.Hour)},
	}
	for name, q := range ranges {
		q.Now, q.All = reporttest.Now.Add(time.Second), true
		t.Run(name, func(t *testing.T) {
			until := q.Until
			if until.IsZero() {
				until = q.Now
			}
			count, failed, cpu := truth(runs, q.Since, until)
			for _, by := range dimensionSets(r) {
				q.By = by
				table, err := report.Summarize(t.Context(), db, q)
				if err != nil {
					t.Fatalf("by %v: %v", by, err)
				}
				if got := sumOf(t, table, "runs"); got != float64(count) {
					t.Errorf("by %v from %s: %v runs, want %d", by, table.Source, got, count)
				}
				if got := sumOf(t, table, "failed"); got != float64(failed) {
					t.Errorf("by %v from %s: %v failed, want %d", by, table.Source, got, failed)
				}
				if got := sumOf(t, table, "cpu_seconds"); math.Abs(got-cpu) > 1e-3 {
					t.Errorf("by %v from %s: %v s of CPU, want %v", by, table.Source, got, cpu)
				}
			}
		})
	}
}

// dimensionSets are all single dimensions and some random combinations.
func dimensionSets(r *rand.Rand) [][]report.Dimension {
	sets := [][]report.Dimension{nil}
	for _, d := range report.Dimensions {
		sets = append(sets, []report.Dimension{d})
	}
	for range 10 {
		var set []report.Dimension
		for _, d := range report.Dimensions {
			if r.IntN(4) == 0 {
				set = append(set, d)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

func sumOf(t *testing.T, table *report.Table, name string) (sum float64) {
	t.Helper()
	for _, v := range column(t, &table.Grid, name) {
		switch v := v.(type) {
		case int64:
			sum += float64(v)
		case float64:
			sum += v
		}
	}
	return sum
}

// The daily sums and the single runs tell the same of whole days.
func TestUsageAndRunsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 2))
	var records []procmon.Record
	for _, run := range randomRuns(r, 300) {
		records = append(records, run.Record())
	}
	db := open(t, reporttest.Write(t, "n1", records...))
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	for _, by := range dimensionSets(r) {
		if slices.Contains(by, report.Exit) {
			continue // of single runs only
		}
		q := report.Query{By: by, All: true, Since: midnight.AddDate(0, 0, -3), Until: midnight, Now: reporttest.Now}
		days, err := report.Summarize(t.Context(), db, q)
		if err != nil {
			t.Fatal(err)
		}
		// Nothing starts or ends in the microsecond more.
		q.Since = q.Since.Add(-time.Microsecond)
		singles, err := report.Summarize(t.Context(), db, q)
		if err != nil {
			t.Fatal(err)
		}
		if days.Source == "runs" || singles.Source != "runs" {
			t.Fatalf("answered from %s and %s", days.Source, singles.Source)
		}
		if diff := cmp.Diff(days.Rows, singles.Rows, cmpopts.EquateApprox(0, 1e-3), cmpopts.EquateApproxTime(2*time.Millisecond)); diff != "" {
			t.Fatalf("by %v (-usage +runs):\n%s", by, diff)
		}
	}
}

func BenchmarkByApplication(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var records []procmon.Record
	for _, run := range randomRuns(r, 20_000) {
		records = append(records, run.Record())
	}
	db := open(b, reporttest.Write(b, "n1", records...))
	for name, since := range map[string]time.Time{"usage": {}, "runs": reporttest.Now.Add(-95 * time.Hour)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				q := report.Query{By: []report.Dimension{report.Application}, Since: since, Now: reporttest.Now}
				if _, err := report.Summarize(context.Background(), db, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("job", func(b *testing.B) {
		for b.Loop() {
			if _, err := report.FindJob(context.Background(), db, "3", 200, reporttest.Now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
