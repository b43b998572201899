package index

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

func TestRSSOf(t *testing.T) {
	for _, test := range []struct {
		name string
		u    procmon.Usage
		want procmon.Usage // after a way through the column
	}{
		{"not known", procmon.Usage{}, procmon.Usage{}},
		{"not known, marked all the same", procmon.Usage{RSSBound: true}, procmon.Usage{}},
		{"exact", procmon.Usage{MaxRSS: 4096}, procmon.Usage{MaxRSS: 4096}},
		{"bound", procmon.Usage{MaxRSS: 4096, RSSBound: true}, procmon.Usage{MaxRSS: 4096, RSSBound: true}},
		{"odd", procmon.Usage{MaxRSS: 1}, procmon.Usage{MaxRSS: 2}},
		{"odd bound", procmon.Usage{MaxRSS: 1, RSSBound: true}, procmon.Usage{MaxRSS: 2, RSSBound: true}},
		{"absurd", procmon.Usage{MaxRSS: math.MaxUint64, RSSBound: true}, procmon.Usage{MaxRSS: math.MaxInt64 - 1, RSSBound: true}},
	} {
		if diff := cmp.Diff(test.want, maxRSS(rssOf(&test.u))); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// The maximum of several runs is marked when it is itself a bound, in every
// view and in a job's share.
func TestBoundFollowsMaximum(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	for i, u := range []procmon.Usage{{MaxRSS: 4096}, {MaxRSS: 8192, RSSBound: true}, {MaxRSS: 6144}} {
		mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, i); r.Usage = &u })))
	}
	r := mustRead(t, w)
	says := func(bytes, bound int64) {
		t.Helper()
		for _, view := range []string{"usage", "history"} {
			got := dump(t, r, "SELECT max_rss_bytes AS bytes, max_rss_upper_bound AS bound FROM "+view)
			if diff := cmp.Diff([]map[string]any{{"bytes": bytes, "bound": bound}}, got); diff != "" {
				t.Errorf("%s: %s", view, diff)
			}
		}
		share, err := w.JobShare(t.Context(), aRun().Job.Key())
		if u := share.Usage; err != nil || u.MaxRSS != uint64(bytes) || u.RSSBound != (bound == 1) || share.Applications[0].Usage.RSSBound != u.RSSBound {
			t.Errorf("share %+v, %v", share, err)
		}
	}
	says(8192, 1)
	mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, 3); r.Usage = &procmon.Usage{MaxRSS: 8192} })))
	says(8192, 0)
}

// An index of the first schema gets the views of this one. It holds a 0 where
// a maximum was not known.
func TestMigrateFromFirst(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	mustWrite(t, w, whole(aRun()))
	for _, query := range []string{"UPDATE t_run SET rss = 0", "DROP VIEW runs", "CREATE VIEW runs AS SELECT rss AS max_rss_bytes FROM t_run", "DROP INDEX t_run_long", "DROP VIEW totals", "DROP VIEW used", "DROP TABLE t_total", "DROP TABLE t_used", "DROP INDEX t_identity_app", "DROP INDEX t_job_again", "DROP VIEW allocations", "DROP TABLE t_allocation", "DROP TABLE t_told", "DROP VIEW jobs", "ALTER TABLE t_job_host DROP COLUMN cgroup_us",
		"ALTER TABLE t_command ADD COLUMN hash INTEGER", "CREATE INDEX t_command_hash ON t_command (hash)", "PRAGMA user_version = 1"} {
		if _, err := w.conn.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	r := mustRead(t, mustOpen(t, o))
	got := dump(t, r, "SELECT max_rss_bytes, max_rss_upper_bound, provisional, cpu_seconds FROM runs")
	if diff := cmp.Diff([]map[string]any{{"max_rss_upper_bound": int64(0), "provisional": int64(0), "cpu_seconds": 9.0}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestMarksOfLiveRuns gives an open run the maximum of its last checkpoint with its
// mark, over what was saved of it.
func TestMarksOfLiveRuns(t *testing.T) {
	const bound, exact = true, false
	for _, test := range []struct {
		name              string
		saved, told, want procmon.Usage
	}{
		{"a larger bound", procmon.Usage{MaxRSS: 4096}, procmon.Usage{MaxRSS: 8192, RSSBound: bound}, procmon.Usage{MaxRSS: 8192, RSSBound: bound}},
		{"a larger exact one", procmon.Usage{MaxRSS: 4096, RSSBound: bound}, procmon.Usage{MaxRSS: 8192}, procmon.Usage{MaxRSS: 8192, RSSBound: exact}},
		{"a smaller one", procmon.Usage{MaxRSS: 8192, RSSBound: bound}, procmon.Usage{MaxRSS: 4096}, procmon.Usage{MaxRSS: 8192, RSSBound: bound}},
		{"only told", procmon.Usage{}, procmon.Usage{MaxRSS: 4096, RSSBound: bound}, procmon.Usage{MaxRSS: 4096, RSSBound: bound}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := mustOpen(t, testOptions(t))
			saved, told := alive(1), open(1)
			saved.Run.Usage, told.Usage = &test.saved, &test.told
			mustWrite(t, w, telling(procmon.Start, open(1), t0))
			if err := w.SaveLive(t.Context(), []procmon.LiveRun{saved}, t0); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, w, telling(procmon.Checkpoint, told, t0.Add(time.Hour)))
			live, _, err := w.Live(t.Context())
			if err != nil || len(live) != 1 {
				t.Fatal(live, err)
			}
			if diff := cmp.Diff(&test.want, live[0].Run.Usage); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
