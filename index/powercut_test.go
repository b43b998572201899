package index

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
)

// TestPowerCut drops or garbles what SQLite had not synced: its log from a random
// point on. What the last checkpoint wrote is there, of the rest whole batches.
func TestPowerCut(t *testing.T) {
	rnd := seeded(t)
	w := mustOpen(t, testOptions(t))
	h := newHistory(rnd, 0.5)
	const size = 50
	batches := func(n int) {
		for range n {
			mustWrite(t, w, h.batch(size)...)
		}
	}
	batches(10)
	if _, err := w.conn.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	batches(10)
	file, log := mustReadFile(t, w.opts.Path), mustReadFile(t, w.opts.Path+"-wal")
	some := 0
	for range long(t, 25, 500) {
		n := openAfterCut(t, file, cut(rnd, bytes.Clone(log)))
		if n < 10*size || n > 20*size || n%size != 0 {
			t.Fatalf("%d runs, want whole batches and at least those of the checkpoint", n)
		}
		if n > 10*size && n < 20*size {
			some++
		}
	}
	if some == 0 {
		t.Error("no cut was in the midst of the log")
	}
}

// cut is a log of which the disk has a part only.
func cut(rnd *rand.Rand, log []byte) []byte {
	at := rnd.IntN(len(log))
	if rnd.IntN(2) == 0 {
		return log[:at]
	}
	at &^= 511
	clear(log[at:min(at+512, len(log))]) // one sector never arrived, later ones did
	return log
}

// openAfterCut gives the number of runs in a file and its log.
func openAfterCut(t *testing.T, file, log []byte) int64 {
	t.Helper()
	o := testOptions(t)
	for path, b := range map[string][]byte{o.Path: file, o.Path + "-wal": log} {
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	w := mustOpen(t, o)
	r := mustRead(t, w)
	agree(t, r)
	n := number(t, r, "SELECT count(*) FROM runs")
	r.Close()
	w.Close()
	return n
}

func mustReadFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
