package index

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"procmon"
)

// counted counts how often a statement is run.
type counted struct {
	driver.Stmt
	n *int
}

func (c counted) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	*c.n++
	return c.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (c counted) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	*c.n++
	return c.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// countStatements counts from here on into n all statements that w knows by now.
func countStatements(w *Writer, n *int) {
	for query, s := range w.prepared {
		if _, ok := s.(counted); !ok {
			w.prepared[query] = counted{s, n}
		}
	}
}

// crowdOf is n runs that began at t0 and after it, in turn at one of some µs.
func crowdOf(n, starts int) []procmon.Record {
	records := make([]procmon.Record, n)
	for i := range records {
		r := aRun()
		p := *r.Process
		p.Run.Process.PID = int32(100 + i)
		r.Process, r.Start = &p, t0.Add(time.Duration(i%starts)*time.Microsecond)
		records[i] = whole(r)
	}
	return records
}

// gatherAll gives records to Gather in batches.
func gatherAll(t *testing.T, in *Importer, records []procmon.Record) (all Gathered) {
	t.Helper()
	for len(records) > 0 {
		n := min(500, len(records))
		done, err := in.Gather(t.Context(), records[:n])
		if err != nil {
			t.Fatal(err)
		}
		all.Added += done.Added
		all.Same += done.Same
		all.Refused = append(all.Refused, done.Refused...)
		records = records[n:]
	}
	return all
}

// TestCrowdCostsLittle counts the statements that a run costs where thousands
// began at once: as many as where they are few.
func TestCrowdCostsLittle(t *testing.T) {
	for name, starts := range map[string]int{"one start": 1, "near starts": 1000} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			mustOpen(t, o).Close()
			in, statements := mustImporter(t, o.Path), 0
			cost := func(records []procmon.Record, added int) int {
				t.Helper()
				statements = 0
				done := gatherAll(t, in, records)
				if done.Added != added || done.Added+done.Same != len(records) {
					t.Fatalf("%d added, %d known of %d, want %d added", done.Added, done.Same, len(records), added)
				}
				return statements
			}
			all := crowdOf(4000, starts)
			cost(all[:500], 500)
			cost(all[:500], 0) // all statements are known now
			countStatements(in.w, &statements)
			const most = 12 // a run
			first := cost(all[500:1000], 500)
			if last := cost(all[3500:], 500); first == 0 || last > most*500 || last > 2*first {
				t.Errorf("500 runs cost %d statements among few, %d among thousands", first, last)
			}
			cost(all, 2500)
			if again := cost(all, 0); again > most*len(all) {
				t.Errorf("%d known runs cost %d statements", len(all), again)
			}
		})
	}
}

// TestCrowdKeepsNumbers compares the numbers that runs get with those that are
// found by going through all from their start on.
func TestCrowdKeepsNumbers(t *testing.T) {
	rnd := seeded(t)
	w := mustOpen(t, testOptions(t))
	in := mustImporter(t, w.opts.Path)
	want := make(map[int64]int32)
	records := crowdOf(3000, 1)
	for i := range records {
		r := records[i].Run
		r.Process.Run.Process.PID = int32(1 + rnd.IntN(1500)) // some come twice
		r.Start = t0.Add(time.Duration(rnd.IntN(4)*rnd.IntN(200)) * time.Microsecond)
		id := r.Start.UnixMicro()
		for ; want[id] != 0 && want[id] != r.Process.Run.Process.PID; id++ {
		}
		want[id] = r.Process.Run.Process.PID
	}
	for len(records) > 0 {
		n := min(1+rnd.IntN(300), len(records))
		if rnd.IntN(3) == 0 {
			mustWrite(t, w, records[:n]...) // what the other one has learned is old then
		} else {
			gatherAll(t, in, records[:n])
		}
		records = records[n:]
	}
	got := make(map[int64]int32)
	for _, row := range dump(t, mustRead(t, w), "SELECT run_id, pid FROM runs") {
		got[row["run_id"].(int64)] = int32(row["pid"].(int64))
	}
	if len(got) != len(want) {
		t.Errorf("%d runs, want %d", len(got), len(want))
	}
	for id, pid := range want {
		if got[id] != pid {
			t.Fatalf("run %d is of pid %d, want %d", id, got[id], pid)
		}
	}
}

// TestCrowdAfterPruning finds a place where rows of a crowd were deleted.
func TestCrowdAfterPruning(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns = time.Hour
	now := t0
	o.Now = func() time.Time { return now }
	w := mustOpen(t, o)
	records := crowdOf(200, 1)
	mustWrite(t, w, records[:100]...)
	now = t0.Add(2 * time.Hour)
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, records[100:]...)
	if n := number(t, mustRead(t, w), "SELECT max(run_id) - min(run_id) + 1 FROM runs"); n != 100 {
		t.Errorf("100 runs lie among %d numbers", n)
	}
}

// TestGatherAfterPruning tells the end of a run that went on while the one that
// began at the same time elsewhere ended and was pruned.
func TestGatherAfterPruning(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns = time.Hour
	o.Now = func() time.Time { return t0.Add(2 * time.Hour) }
	w := mustOpen(t, o)
	in := mustImporter(t, o.Path)
	short, long := whole(aRun()), whole(aRun())
	short.Host, long.Host = "n2", "n3"
	begin := long
	begin.Phase, long.Phase = procmon.Start, procmon.End
	gatherAll(t, in, []procmon.Record{short, begin})
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := in.Gather(t.Context(), []procmon.Record{short, long, long})
	if err != nil || done.Older != 1 || done.Updated != 1 || done.Same != 1 {
		t.Errorf("%+v, %v: want the pruned one left out, the other one updated, once", done, err)
	}
	r := mustRead(t, w)
	if got := dump(t, r, "SELECT host, open FROM runs"); len(got) != 1 || got[0]["open"] != int64(0) {
		t.Error(got)
	}
	if n := number(t, r, "SELECT sum(runs) FROM usage"); n != 2 {
		t.Errorf("%d runs counted", n)
	}
}

// TestCrowdIsBounded refuses more runs of a microsecond than there are numbers
// for, and goes on to know the others.
func TestCrowdIsBounded(t *testing.T) {
	o := testOptions(t)
	mustOpen(t, o).Close()
	in := mustImporter(t, o.Path)
	all := crowdOf(maxShift+2, 1)
	for range 2 {
		if done := gatherAll(t, in, all); len(done.Refused) != 2 || done.Added+done.Same != maxShift {
			t.Errorf("%d stored, %d refused, want %d and 2", done.Added+done.Same, len(done.Refused), maxShift)
		}
	}
	refused := new(refusal)
	if err := in.w.do(t.Context(), func(tx *txn) error { return tx.record(&all[maxShift]) }); !errors.As(err, &refused) {
		t.Errorf("told %v", err)
	}
}
