package report_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

// Naming programs again moves what they cost from name to name, and no sum by
// anything else changes.
func TestReclassifyMovesNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 3))
	runs := randomRuns(r, 300)
	var records []procmon.Record
	for _, run := range runs {
		records = append(records, run.Record())
	}
	path := reporttest.Write(t, "n1", records...)
	db := open(t, path)
	whole := report.Query{All: true, Now: reporttest.Now.Add(time.Second)}
	hours := report.Query{All: true, Now: whole.Now, Since: reporttest.Now.Add(-50 * time.Hour)} // from single runs
	var sets [][]report.Dimension
	for _, set := range dimensionSets(r) {
		if !slices.ContainsFunc(set, func(d report.Dimension) bool {
			return d == report.Application || d == report.Version || d == report.Kind
		}) {
			sets = append(sets, set)
		}
	}
	ask := func(q report.Query, by []report.Dimension) [][]any {
		q.By = by
		table, err := report.Summarize(t.Context(), db, q)
		if err != nil {
			t.Fatal(err)
		}
		return table.Rows
	}
	var before [][][]any
	for _, by := range sets {
		before = append(before, ask(whole, by), ask(hours, by))
	}

	in, err := index.OpenImporter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	name := func(exe string, was procmon.Application) procmon.Application {
		if was.Version == "1.0" { // some keep what they have
			return was
		}
		return procmon.Application{Name: "of " + exe, Kind: procmon.KindApplication, Evidence: "names"}
	}
	if _, err := in.Reclassify(t.Context(), index.Reclassify{Name: name}); err != nil {
		t.Fatal(err)
	}

	var after [][][]any
	for _, by := range sets {
		after = append(after, ask(whole, by), ask(hours, by))
	}
	near := []cmp.Option{cmpopts.EquateApprox(0, 1e-3), cmpopts.EquateApproxTime(2 * time.Millisecond)}
	if diff := cmp.Diff(before, after, near...); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	want := map[string]float64{}
	for _, run := range runs {
		want[name(run.Exe, run.Application).Name] += run.CPU.Seconds()
	}
	whole.By = []report.Dimension{report.Application}
	table, err := report.Summarize(t.Context(), db, whole)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for i, cpu := range column(t, &table.Grid, "cpu_seconds") {
		got[column(t, &table.Grid, "application")[i].(string)] = cpu.(float64)
	}
	if diff := cmp.Diff(want, got, near...); diff != "" {
		t.Errorf("CPU time by application (-want +got):\n%s", diff)
	}
}
