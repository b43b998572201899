package index

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"procmon"
)

// TestFull lets the disk be full at random points: a batch that does not fit is
// stored whole later or not at all, and what was stored stays.
func TestFull(t *testing.T) {
	rnd := seeded(t)
	w := mustOpen(t, testOptions(t))
	h := newHistory(rnd, 0.5)
	pages := func() int64 {
		var n int64
		if err := w.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	limit := func(n int64) {
		t.Helper()
		if _, err := w.conn.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", n)); err != nil {
			t.Fatal(err)
		}
	}
	stored, refused := int64(0), 0
	for round := range long(t, 60, 1000) {
		batch := h.batch(1 + rnd.IntN(150))
		if round%2 == 1 { // phases, whose rows are changed later
			for _, r := range batch {
				r.Phase = procmon.Start
				batch = append(batch, r)
			}
			half := len(batch) / 2
			batch = append(batch[half:], batch[:half]...)
		}
		limit(pages() + int64(rnd.IntN(12)))
		err := w.Write(t.Context(), batch)
		if err != nil {
			refused++
			lost := new(procmon.LostError)
			if errors.As(err, &lost) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "no space left") {
				t.Fatalf("round %d: %v", round, err)
			}
			if err := w.SaveLive(t.Context(), []procmon.LiveRun{alive(1)}, t0); err != nil && errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			limit(1 << 30)
			mustWrite(t, w, batch...)
		}
		limit(1 << 30)
		runs := len(batch)
		if round%2 == 1 {
			runs /= 2
		}
		stored += int64(runs)
	}
	r := mustRead(t, w)
	if n := number(t, r, "SELECT count(*) FROM runs"); n != stored {
		t.Errorf("%d runs, want %d", n, stored)
	}
	if refused == 0 {
		t.Error("the disk was never full")
	}
	if got := dump(t, r, "PRAGMA integrity_check"); got[0]["integrity_check"] != "ok" {
		t.Error(got)
	}
	agree(t, r)
	t.Logf("full %d times", refused)
}
