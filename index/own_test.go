package index_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"procmon/index"
	"procmon/report/reporttest"
)

// Whatever view is asked, however, an own reader has one user's rows only.
func TestOpenOwn(t *testing.T) {
	path := reporttest.Small(t)
	count := func(db *sql.DB, q string) (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), q).Scan(&n); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		return n
	}
	all, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	const alice, nobody = 1001, 99
	for _, uid := range []uint32{alice, nobody} {
		r, err := index.OpenOwn(t.Context(), path, uid)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for _, view := range []string{"runs", "usage", "history", "used", "long_runs", "jobs", "allocations"} {
			want := count(all.DB(), fmt.Sprintf("SELECT count(*) FROM %s WHERE uid = %d", view, uid))
			got := count(r.DB(), "SELECT count(*) FROM "+view)
			if got != want || uid == alice && view != "allocations" && view != "long_runs" && got == 0 {
				t.Errorf("uid %d sees %d rows of %s, has %d", uid, got, view, want)
			}
			if view == "history" {
				want = count(all.DB(), fmt.Sprintf("SELECT ifnull(sum(runs), 0) FROM history WHERE uid = %d", uid))
				if got := count(r.DB(), "SELECT ifnull(sum(runs), 0) FROM totals"); got != want {
					t.Errorf("uid %d sees totals of %d runs, has %d", uid, got, want)
				}
			}
		}
		if got, want := count(r.DB(), "SELECT count(*) FROM losses"), count(all.DB(), "SELECT count(*) FROM losses"); got != want {
			t.Errorf("%d losses, not %d", got, want)
		}
		if _, err := r.DB().ExecContext(t.Context(), "DELETE FROM t_run"); err == nil {
			t.Error("an own reader writes")
		}
	}
}

// A connection that was broken off is followed by one as narrow.
func TestOpenOwnAgainAndAgain(t *testing.T) {
	r, err := index.OpenOwn(t.Context(), reporttest.Small(t), 99)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.DB().ExecContext(ctx, "PRAGMA user_version")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		r.DB().SetMaxIdleConns(0) // none is kept
		var n int
		if err := r.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM runs").Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
}
