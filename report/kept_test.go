package report_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

// Whole days are told alike whatever was pruned that is older, or is a single
// run, and however often accounting was imported.
func TestWholeDaysOutlastPruningAndImports(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 7))
	path, _ := allocatedIndex(t, r)
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	again := reporttest.Accounted("99", midnight.Add(time.Hour), time.Hour, 3, 1)
	reporttest.Account(t, path, again)
	sets := dimensionSets(r)
	tell := func(allocated bool) (all []*report.Table) {
		db := open(t, path)
		for _, by := range sets {
			if table := (report.Query{By: by, Allocated: allocated, All: true, Since: midnight.AddDate(0, 0, -1), Now: reporttest.Now}); !slices.Contains(by, report.Exit) {
				got, err := report.Summarize(t.Context(), db, table)
				if err != nil {
					t.Fatal(err)
				}
				got.Coverage = report.Coverage{}
				all = append(all, got)
			}
		}
		return all
	}
	want := map[bool][]*report.Table{false: tell(false), true: tell(true)}
	for _, step := range []struct {
		name      string
		allocated bool // how older days divide jobs that go over them is gone with the days
		do        func()
	}{
		{"importing again", true, func() { reporttest.Account(t, path, again) }},
		{"pruning single runs", true, func() { prune(t, path, index.Options{KeepRuns: time.Hour}) }},
		{"pruning days", false, func() { prune(t, path, index.Options{KeepRuns: time.Hour, KeepUsage: 48 * time.Hour}) }},
	} {
		step.do()
		if diff := cmp.Diff(want[step.allocated], tell(step.allocated), near, cmpopts.IgnoreUnexported(report.Query{})); diff != "" {
			t.Fatalf("after %s (-before +after):\n%.2000s", step.name, diff)
		}
	}
}

func prune(t *testing.T, path string, o index.Options) {
	t.Helper()
	o.Path, o.Host, o.Boot, o.Now = path, "n1", reporttest.Boot, func() time.Time { return reporttest.Now }
	w, err := index.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
