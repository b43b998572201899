package index

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// days writes some runs on each of n days, the last one today, and gives the
// writer of the index.
func days(t *testing.T, o Options, n, perDay int) *Writer {
	t.Helper()
	w := mustOpen(t, o)
	h := newHistory(seeded(t), 0.5)
	for d := range n {
		h.now = t0.AddDate(0, 0, d-n+1).Add(-4 * time.Hour)
		mustWrite(t, w, h.batch(perDay)...)
	}
	return w
}

func number(t *testing.T, r *Reader, query string) int64 {
	t.Helper()
	return dump(t, r, "SELECT ifnull(("+query+"), 0) AS n")[0]["n"].(int64)
}

func TestPruneByAge(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns, o.KeepUsage = 5*24*time.Hour, 20*24*time.Hour
	w := days(t, o, 30, 40)
	old := t0.AddDate(0, 0, -29).Add(time.Hour)
	mustWrite(t, w, telling(procmon.Start, with(func(r *procmon.Run) { // it goes on until today
		r.Start, r.End, r.Exit, r.Usage = old, time.Time{}, nil, nil
		r.Process.Args = []byte("still needed\x00")
	}), old.Add(time.Minute)))
	r := mustRead(t, w)
	identities := number(t, r, "SELECT count(*) FROM t_identity")
	for range 2 { // the second time there is nothing to do
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	horizon, usage := t0.Add(-o.KeepRuns).UnixMicro(), dayOf(t0.Add(-o.KeepUsage).UnixMicro())
	got := dump(t, r, `SELECT min(run_id) AS oldest, count(*) AS runs FROM runs WHERE NOT open`)[0]
	if oldest := got["oldest"].(int64); oldest < horizon || got["runs"] != int64(6*40) && got["runs"] != int64(5*40) {
		t.Errorf("runs left: %v", got)
	}
	if got := dump(t, r, "SELECT command_line FROM runs WHERE open"); len(got) != 1 || got[0]["command_line"] != "'still needed'" {
		t.Errorf("the open run: %v", got)
	}
	for _, view := range []string{"usage", "history"} {
		if got := number(t, r, "SELECT min(epoch_day) FROM "+view); got != usage {
			t.Errorf("oldest day of %s %d, want %d", view, got, usage)
		}
		if got := number(t, r, "SELECT sum(runs) FROM "+view); got != 21*40 {
			t.Errorf("%s has %d runs, want %d", view, got, 21*40)
		}
	}
	info, err := r.Info(t.Context())
	if err != nil || dayOf(info.UsageFrom.UnixMicro()) != usage || info.RunsFrom.UnixMicro() > horizon || info.RunsFrom.IsZero() {
		t.Errorf("Info = %+v, %v", info, err)
	}
	for what, query := range map[string]string{
		"command lines of no run": fmt.Sprint("SELECT count(*) FROM t_command WHERE id > 0 AND day < ", dayOf(horizon)-usedDays, " AND text <> '''still needed'''"),
		"steps of nothing":        "SELECT count(*) FROM t_step s WHERE id > 0 AND NOT EXISTS (SELECT 1 FROM t_usage WHERE step = s.id) AND NOT EXISTS (SELECT 1 FROM t_run WHERE step = s.id)",
		"jobs of nothing":         "SELECT count(*) FROM t_job j WHERE id > 0 AND NOT EXISTS (SELECT 1 FROM t_step WHERE job = j.id)",
		"shares of no job":        "SELECT count(*) FROM t_job_host WHERE job NOT IN (SELECT id FROM t_job)",
		"free pages":              "SELECT freelist_count FROM pragma_freelist_count",
		"lost references":         "SELECT (SELECT count(*) FROM t_run) - (SELECT count(*) FROM runs) + (SELECT count(*) FROM t_usage) - (SELECT count(*) FROM usage)",
	} {
		if n := number(t, r, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	if now := number(t, r, "SELECT count(*) FROM t_identity"); now == 0 || now > identities {
		t.Errorf("%d identities, before %d", now, identities)
	}
	// What was pruned may come back under new ids.
	mustWrite(t, w, newHistory(seeded(t), 0.5).batch(100)...)
	mustWrite(t, w, telling(procmon.End, with(func(r *procmon.Run) { r.Start, r.End = old, t0 }), t0))
	if n := number(t, r, "SELECT count(*) FROM runs WHERE open"); n != 0 {
		t.Errorf("%d open runs", n)
	}
	if n := number(t, r, "SELECT (SELECT count(*) FROM t_run) - (SELECT count(*) FROM runs)"); n != 0 {
		t.Errorf("%d runs refer to rows that were pruned", n)
	}
}

func TestPruneBySize(t *testing.T) {
	o := testOptions(t)
	w := days(t, o, 10, 1500)
	r := mustRead(t, w)
	before := number(t, r, "SELECT sum(runs) FROM usage")
	full, err := w.size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	prune := func(max int64) {
		t.Helper()
		w.opts.MaxBytes = max
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	prune(full)
	if n := number(t, r, "SELECT count(*) FROM runs"); n != 15000 {
		t.Errorf("%d runs left although there was room", n)
	}
	prune(full * 3 / 4)
	runs := number(t, r, "SELECT count(*) FROM runs")
	if runs == 0 || runs == 15000 || number(t, r, "SELECT sum(runs) FROM usage") != before {
		t.Errorf("%d runs left; usage is not the first to go", runs)
	}
	if st, err := os.Stat(o.Path); err != nil || st.Size() > full*3/4+1<<16 {
		t.Errorf("the file has %d bytes, %v; allowed are %d", st.Size(), err, full*3/4)
	}
	prune(full / 10)
	if n := number(t, r, "SELECT count(*) FROM runs"); n != 0 {
		t.Errorf("%d runs left", n)
	}
	if left := number(t, r, "SELECT count(DISTINCT epoch_day) FROM usage"); left == 0 || left == 10 {
		t.Errorf("%d days of usage left", left)
	}
	prune(1) // cannot be kept: today's sums stay, and it ends
	if got := dump(t, r, "SELECT DISTINCT epoch_day AS d FROM usage"); len(got) != 1 || got[0]["d"] != dayOf(t0.UnixMicro()) {
		t.Errorf("days left: %v", got)
	}
}

// Losses go with usage.
// TestPruneWholeDays: as sums by day go for want of room, days go whole, and those
// that stay lose nothing that they refer to.
func TestPruneWholeDays(t *testing.T) {
	w := days(t, testOptions(t), 5, 5000)
	r := mustRead(t, w)
	const byDay = " GROUP BY epoch_day ORDER BY epoch_day"
	whole := make(map[int64]map[string]any)
	for _, day := range dump(t, r, "SELECT epoch_day, count(*) AS rows, sum(runs) AS runs FROM usage"+byDay) {
		whole[day["epoch_day"].(int64)] = day
	}
	if err := w.pruneRuns(t.Context(), t0.UnixMicro()); err != nil { // they would go first
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for {
		size, err := w.size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := dump(t, r, "SELECT epoch_day, count(*) AS rows, sum(runs) AS runs FROM usage"+byDay)
		for _, day := range left {
			if diff := cmp.Diff(whole[day["epoch_day"].(int64)], day); diff != "" {
				t.Fatalf("%d days left, one of them in part (-before +now):\n%s", len(left), diff)
			}
		}
		if diff := cmp.Diff(dump(t, r, "SELECT epoch_day, sum(runs) AS runs FROM usage"+byDay), dump(t, r, "SELECT epoch_day, sum(runs) AS runs FROM history"+byDay)); diff != "" {
			t.Fatalf("%d days left; usage and history differ:\n%s", len(left), diff)
		}
		if seen[len(left)] = true; len(left) == 1 {
			break
		}
		mustPrune(t, w, size-1)
	}
	if len(seen) < 3 {
		t.Errorf("numbers of days left: %v", seen)
	}
}

// TestPruneEndsWhatItBegan: of a day of which a part is deleted, or to which
// something was booked after it was, nothing stays.
func TestPruneEndsWhatItBegan(t *testing.T) {
	w := days(t, testOptions(t), 3, 20)
	today := dayOf(t0.UnixMicro())
	if err := w.do(t.Context(), func(tx *txn) error { // as after a crash
		return errors.Join(tx.setMeta("usage_from", today), tx.exec("DELETE FROM t_usage WHERE day = ? AND step > 0", today-1))
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := mustRead(t, w)
		for _, view := range []string{"usage", "history"} {
			if got := dump(t, r, "SELECT DISTINCT epoch_day AS d FROM "+view); len(got) != 1 || got[0]["d"] != today {
				t.Errorf("days of %s left: %v", view, got)
			}
		}
		mustWrite(t, w, whole(with(func(r *procmon.Run) { r.Start, r.End = t0.AddDate(0, 0, -9), t0.AddDate(0, 0, -9).Add(time.Second) })))
	}
}

func TestPruneLosses(t *testing.T) {
	o := testOptions(t)
	o.KeepUsage = 24 * time.Hour
	w := mustOpen(t, o)
	for i, at := range []time.Time{t0.Add(-72 * time.Hour), t0} {
		mustWrite(t, w, procmon.Record{Host: "n1", Time: t0, Seq: uint64(i), Loss: &procmon.Loss{Count: uint64(i), CPU: -1, From: at, To: at, Reason: procmon.LossQueue}})
	}
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := dump(t, mustRead(t, w), "SELECT count FROM losses")
	if diff := cmp.Diff([]map[string]any{{"count": int64(1)}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestReadWhileWriting: readers see whole batches only, and neither side is
// ever told that the file is locked.
func TestReadWhileWriting(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	const batches, size = 60, 100
	mustWrite(t, w, newHistory(seeded(t), 0.3).batch(size)...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			r, err := OpenReader(t.Context(), w.opts.Path)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for {
				var runs, usage, history int64
				err := r.DB().QueryRowContext(context.Background(), `SELECT (SELECT count(*) FROM runs), (SELECT sum(runs) FROM usage),
					(SELECT sum(runs) FROM history)`).Scan(&runs, &usage, &history)
				if err != nil || runs%size != 0 || usage != runs || history != runs {
					t.Errorf("runs %d, usage %d, history %d: %v", runs, usage, history, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	h := newHistory(seeded(t), 0.3)
	h.now = t0.Add(100 * time.Hour)
	for i := range batches {
		mustWrite(t, w, h.batch(size)...)
		if i%20 == 0 {
			if err := w.Prune(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if n := number(t, mustRead(t, w), "SELECT count(*) FROM runs"); n != (batches+1)*size {
		t.Errorf("%d runs", n)
	}
}

// The query methods are for other goroutines than Write's.
func TestMethodsAtOnce(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	h := newHistory(seeded(t), 0.3)
	var others sync.WaitGroup
	for _, call := range []func() error{
		func() error { return w.SaveLive(t.Context(), []procmon.LiveRun{alive(1), alive(2)}, t0) },
		func() error { _, _, err := w.Live(t.Context()); return err },
		func() error { _, err := w.LastSeen(t.Context()); return err },
		func() error {
			_, err := w.JobShare(t.Context(), procmon.JobKey{Cluster: "c1", RawID: "100001"})
			return err
		},
		func() error { return w.Heartbeat(t.Context(), t0) },
		func() error { return w.Prune(t.Context()) },
	} {
		others.Go(func() {
			for range 20 {
				if err := call(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		mustWrite(t, w, h.batch(50)...)
	}
	others.Wait()
	agree(t, mustRead(t, w))
}

func TestCancelled(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(ctx, aBatch(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if n := number(t, mustRead(t, w), "SELECT count(*) FROM runs"); n != 0 {
		t.Errorf("%d runs", n)
	}
}

// TestPrunedAndBack: what a run refers to was pruned, and the next run needs
// the same again.
func TestPrunedAndBack(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns, o.KeepUsage = time.Hour, 24*time.Hour
	w := mustOpen(t, o)
	mustWrite(t, w, whole(with(func(r *procmon.Run) { r.Start, r.End = t0.AddDate(0, 0, -40), t0.AddDate(0, 0, -40) })))
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, w)
	for _, table := range []string{"t_run", "t_usage", "t_history", "t_identity", "t_command WHERE id > 0", "t_job WHERE id > 0", "t_step WHERE id > 0", "t_job_host", "t_app", "t_charge WHERE id > 0"} {
		if n := number(t, r, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows left in %s", n, table)
		}
	}
	mustWrite(t, w, whole(aRun()))
	got := dump(t, r, "SELECT application, command_line, raw_job_id, step_id FROM runs")
	want := []map[string]any{{"application": "GROMACS", "command_line": "gmx mdrun -s 'my file.tpr'", "raw_job_id": "9", "step_id": "0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	agree(t, r)
}

// A program stays as long as usage has it: also when what is told last of it is
// what ran long ago.
func TestPruneKeepsProgramsInUse(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns, o.KeepUsage = 20*24*time.Hour, 20*24*time.Hour
	w := mustOpen(t, o)
	long := with(func(r *procmon.Run) { r.Start, r.End = t0.AddDate(0, 0, -40), t0.AddDate(0, 0, -1) })
	mustWrite(t, w, whole(long))
	mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, 1); r.Start, r.End = t0.AddDate(0, 0, -30), t0.AddDate(0, 0, -30) })))
	r := mustRead(t, w)
	if day := number(t, r, "SELECT day FROM t_identity"); day != dayOf(long.End.UnixMicro()) {
		t.Errorf("the day of last use went back to %d", day)
	}
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := number(t, r, "SELECT count(*) FROM usage"); n != 1 {
		t.Errorf("%d rows of usage", n)
	}
}

// Nor does it hang on the day of last use alone.
func TestPruneLooksWhoUsesPrograms(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns, o.KeepUsage = 20*24*time.Hour, 20*24*time.Hour
	w := days(t, o, 30, 5)
	if err := w.do(t.Context(), func(t *txn) error { return t.exec("UPDATE t_identity SET day = 1") }); err != nil {
		t.Fatal(err)
	}
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, w)
	if n, m := number(t, r, "SELECT count(*) FROM t_usage"), number(t, r, "SELECT count(*) FROM usage"); n == 0 || n != m {
		t.Errorf("of %d rows of usage %d have a program", n, m)
	}
}
