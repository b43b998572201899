package index

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// open is a run that goes on; n tells it from others.
func open(n int) *procmon.Run {
	return with(func(r *procmon.Run) {
		other(r, n)
		r.End, r.Exit, r.Usage = time.Time{}, nil, nil
	})
}

func alive(n int) procmon.LiveRun {
	r := open(n)
	return procmon.LiveRun{Run: *r, Booked: procmon.Usage{User: time.Duration(n) * time.Second, Read: 7},
		Owned: []procmon.Owned{{ID: r.Process.Run.Process}, {ID: procmon.ProcessID{PID: 9, Start: 9}, Since: procmon.Counters{CPU: 5}}}}
}

func pids(runs []procmon.LiveRun) (all []int32) {
	for _, r := range runs {
		all = append(all, r.Run.Process.Run.Process.PID-4711)
	}
	slices.Sort(all)
	return all
}

// TestLive follows open runs over records, saves, a restart and a new boot.
func TestLive(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	check := func(what string, this, others []int32) {
		t.Helper()
		a, b, err := w.Live(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]int32{this, others}, [][]int32{pids(a), pids(b)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	save := func(runs ...procmon.LiveRun) {
		t.Helper()
		if err := w.SaveLive(t.Context(), runs, t0); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(n int) procmon.Record {
		return telling(procmon.End, with(func(r *procmon.Run) { other(r, n) }), t0.Add(time.Hour))
	}
	restart := func(boot string) {
		t.Helper()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		o.Boot = boot
		w = mustOpen(t, o)
	}

	mustWrite(t, w, telling(procmon.Start, open(1), t0), telling(procmon.Start, open(2), t0))
	check("after start records", []int32{1, 2}, nil)
	save(alive(2), alive(3))
	check("a run that was begun stays until its end, a new one comes", []int32{1, 2, 3}, nil)
	save(alive(2))
	check("one without a record goes when it is no longer saved", []int32{1, 2}, nil)
	save(alive(2), alive(3), alive(4))
	mustWrite(t, w, ended(1), telling(procmon.Whole, ended(3).Run, t0))
	check("ended runs go with their record", []int32{2, 4}, nil)
	save(alive(1), alive(2), alive(3), alive(4))
	check("and don't come back", []int32{2, 4}, nil)

	restart("boot-1")
	check("after a restart", []int32{2, 4}, nil)
	this, _, _ := w.Live(t.Context())
	i := slices.IndexFunc(this, func(l procmon.LiveRun) bool { return l.Run.Process.Run.Process.PID == 4711+2 })
	want := alive(2)
	if diff := cmp.Diff(want, this[i]); diff != "" {
		t.Errorf("what comes back differs (-want +got):\n%s", diff)
	}
	restart("boot-2")
	check("after a reboot", nil, []int32{2, 4})
	save(procmon.LiveRun{Run: *with(func(r *procmon.Run) { other(r, 7); r.Process.Boot = "boot-2" })})
	check("another boot's runs are not replaced", []int32{7}, []int32{2, 4})
	lost := ended(2)
	lost.Run.Unknown, lost.Run.End, lost.Boot = true, time.Time{}, "boot-2" // the record's boot is the writer's, the process's counts
	mustWrite(t, w, lost, ended(4))
	check("closed after the reboot", []int32{7}, nil)

	r := mustRead(t, w)
	got := dump(t, r, "SELECT pid - 4711 AS n, outcome FROM runs ORDER BY pid")
	rows := []map[string]any{{"n": int64(1), "outcome": "success"}, {"n": int64(2), "outcome": "unknown"}, {"n": int64(3), "outcome": "success"}, {"n": int64(4), "outcome": "success"}}
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Error(diff)
	}
	agree(t, r)
}

func TestLiveUnreadable(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	mustWrite(t, w, telling(procmon.Start, open(1), t0), telling(procmon.Start, open(2), t0))
	if _, err := w.conn.ExecContext(t.Context(), "UPDATE t_live SET body = '{\"Run\":' WHERE run = (SELECT min(run) FROM t_live)"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	w = mustOpen(t, o)
	this, _, err := w.Live(t.Context())
	if diff := cmp.Diff([]int32{2}, pids(this)); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestLiveStartIsToldOnce: a start record may be written after its run was saved
// as one without, and before a kill.
func TestLiveStartIsToldOnce(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	silent := alive(1)
	silent.Silent = true
	for _, want := range []bool{true, false} {
		if err := w.SaveLive(t.Context(), []procmon.LiveRun{silent}, t0); err != nil {
			t.Fatal(err)
		}
		runs, _, err := w.Live(t.Context())
		if err != nil || len(runs) != 1 || runs[0].Silent != want {
			t.Fatalf("%+v, %v; want one run, silent %v", runs, err, want)
		}
		mustWrite(t, w, telling(procmon.Start, open(1), t0))
	}
}
