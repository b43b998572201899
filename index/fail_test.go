package index

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// TestFailedBatch fails in every table that a batch writes, one after another:
// nothing of it may stay, neither in the file nor in the writer's memory, and
// giving it again stores it once.
func TestFailedBatch(t *testing.T) {
	for _, table := range []string{"t_host", "t_user", "t_job", "t_job_host", "t_step", "t_app", "t_identity", "t_command", "t_run", "t_usage", "t_history", "t_total", "t_used", "t_charge", "t_live", "t_loss"} {
		t.Run(table, func(t *testing.T) {
			w := mustOpen(t, testOptions(t))
			do := func(statement string) {
				t.Helper()
				if _, err := w.conn.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			begun := telling(procmon.Start, with(func(r *procmon.Run) {
				other(r, 5)
				r.End, r.Exit, r.Usage = time.Time{}, nil, nil
			}), t0)
			batch := []procmon.Record{whole(aRun()), begun,
				{Host: "n1", Time: t0, Seq: 1, Loss: &procmon.Loss{Count: 1, CPU: -1, From: t0, To: t0, Reason: procmon.LossQueue}}}
			do("CREATE TRIGGER no BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'not now'); END")
			err := w.Write(t.Context(), batch)
			if lost := new(procmon.LostError); err == nil || errors.As(err, &lost) {
				t.Fatalf("error = %v", err)
			}
			r := mustRead(t, w)
			if n := number(t, r, "SELECT (SELECT count(*) FROM t_run) + (SELECT count(*) FROM t_usage) + (SELECT count(*) FROM t_user) + (SELECT count(*) FROM t_live)"); n != 0 {
				t.Errorf("%d rows of a batch that failed", n)
			}
			do("DROP TRIGGER no")
			mustWrite(t, w, batch...)
			mustWrite(t, w, batch...)
			got := dump(t, r, "SELECT (SELECT count(*) FROM runs) AS runs, (SELECT sum(runs) FROM history) AS history, (SELECT count(*) FROM losses) AS losses, (SELECT count(*) FROM t_live) AS live")
			if diff := cmp.Diff([]map[string]any{{"runs": int64(2), "history": int64(2), "losses": int64(1), "live": int64(1)}}, got); diff != "" {
				t.Error(diff)
			}
			agree(t, r)
		})
	}
}

// An importer leaves alone what the daemon has of runs that go on, also after a
// transaction that failed: what it cannot read may be of a newer procmon.
func TestImporterLeavesLive(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	do := func(statement string) {
		t.Helper()
		if _, err := w.conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do("INSERT INTO t_live (boot, key, body) VALUES ('boot', 'key', 'of a newer one')")
	i, err := OpenImporter(t.Context(), o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	do("CREATE TRIGGER no BEFORE INSERT ON t_run BEGIN SELECT RAISE(ABORT, 'not now'); END")
	if _, err := i.Gather(t.Context(), []procmon.Record{whole(aRun())}); err == nil {
		t.Fatal("no error")
	}
	do("DROP TRIGGER no")
	if _, err := i.Gather(t.Context(), []procmon.Record{whole(aRun())}); err != nil {
		t.Fatal(err)
	}
	if n := number(t, mustRead(t, w), "SELECT count(*) FROM t_live"); n != 1 {
		t.Errorf("%d runs go on", n)
	}
}

// A lock that another process holds too long is "not now".
func TestLocked(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	if _, err := w.conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	uri, err := fileURI(w.opts.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(uri, true)
	defer db.Close()
	other, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = w.Write(t.Context(), []procmon.Record{whole(aRun())})
	if lost := new(procmon.LostError); err == nil || errors.As(err, &lost) || !strings.Contains(err.Error(), "another process holds its lock") {
		t.Errorf("error = %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, whole(aRun()))
	agree(t, mustRead(t, w))
}

// What one summary does not know another one's knowledge outlives.
func TestSummaryTwice(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	tell := func(s procmon.JobSummary) {
		t.Helper()
		s.Job = aRun().Job
		mustWrite(t, w, procmon.Record{Host: "n1", Time: t0, Summary: &s})
	}
	tell(procmon.JobSummary{CPUs: 4, Start: t0})
	tell(procmon.JobSummary{GPUs: 1, End: t0.Add(time.Hour)})
	got := dump(t, mustRead(t, w), `SELECT cpus, gpus, "end" - start AS s FROM jobs`)
	if diff := cmp.Diff([]map[string]any{{"cpus": int64(4), "gpus": int64(1), "s": 3600.0}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestMigrate goes on from a schema that is there, and back to nothing when a
// step fails.
func TestMigrate(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(aRun()))
	path := w.opts.Path
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	uri, err := fileURI(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(uri, true)
	defer db.Close()
	newest := newestSchema(t)
	if err := migrateOne(t.Context(), db, "CREATE TABLE t_more (x); SELECT no_such_function();", newest+1); err == nil {
		t.Fatal("a broken step passed")
	}
	state, err := readState(t.Context(), db)
	if err != nil || state.version != newest {
		t.Errorf("after a broken step: %+v, %v", state, err)
	}
	if err := migrateOne(t.Context(), db, "CREATE TABLE t_more (x);", newest+1); err != nil {
		t.Fatal(err)
	}
	if after, err := readState(t.Context(), db); err != nil || after.version != newest+1 || after.tables != state.tables+1 {
		t.Errorf("after a step: %+v, %v", after, err)
	}
	_, err = OpenReader(t.Context(), path)
	says(t, err, ErrNewer, fmt.Sprintf("its schema is %d, this program knows %d", newest+1, newest))
}
