package index

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"procmon"
)

// flood writes n runs of `true` with an argument of its own each, of size bytes.
func flood(t *testing.T, w *Writer, n, size int) {
	t.Helper()
	for first := 0; first < n; first += 100 {
		var records []procmon.Record
		for i := first; i < min(first+100, n); i++ {
			records = append(records, whole(with(func(r *procmon.Run) {
				r.Process.Run.Process.PID, r.Process.Run.Exec = int32(100_000+i), procmon.BootNS(60_000_000_000+int64(i))
				r.Start = t0.Add(time.Duration(i)*time.Millisecond - time.Hour)
				r.End = r.Start.Add(time.Millisecond)
				arg := fmt.Sprintf("%08d", i) + strings.Repeat("x", size-8)
				r.Process.Args = []byte("true\x00" + arg + "\x00")
				r.Process.ArgsBytes = len(r.Process.Args)
			})))
		}
		mustWrite(t, w, records...)
	}
}

// fat gives each text of a flood the length that a file of before texts were
// cut may have.
func fat(t *testing.T, w *Writer, size int) {
	t.Helper()
	if err := w.do(t.Context(), func(tx *txn) error {
		err := tx.exec("UPDATE t_command SET text = text || ? WHERE text LIKE 'true 0%'", strings.Repeat("y", size))
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t *testing.T, w *Writer) int64 {
	t.Helper()
	st, err := os.Stat(w.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func mustPrune(t *testing.T, w *Writer, limit int64) {
	t.Helper()
	w.opts.MaxBytes = limit
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPruneFlood: one user's long arguments cost those arguments, and nobody's
// runs, usage or history.
func TestPruneFlood(t *testing.T) {
	for _, tt := range []struct {
		name      string
		size, fat int
	}{{"whole", 3000, 0}, {"cut", 32 << 10, 0}, {"of an older file", 32 << 10, 28 << 10}} {
		t.Run(tt.name, func(t *testing.T) {
			w := days(t, testOptions(t), 30, 60)
			r := mustRead(t, w)
			rest, err := w.size(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			texts := number(t, r, "SELECT count(*) FROM runs WHERE command_line IS NOT NULL")
			flood(t, w, 500, tt.size)
			if tt.fat > 0 {
				fat(t, w, tt.fat)
			}
			limit := rest * 3
			if size := fileSize(t, w); size < limit && tt.fat > 0 {
				t.Fatalf("the flood made %d bytes only", size)
			}
			mustPrune(t, w, limit)
			mustPrune(t, w, limit) // has nothing to do
			if size := fileSize(t, w); size > limit {
				t.Errorf("%d bytes, allowed are %d", size, limit)
			}
			for what, q := range map[string]struct {
				query string
				want  int64
			}{
				"runs":                        {"SELECT count(*) FROM runs", 30*60 + 500},
				"days of usage":               {"SELECT count(DISTINCT epoch_day) FROM usage", 30},
				"days of history":             {"SELECT count(DISTINCT epoch_day) FROM history", 30},
				"texts of others":             {"SELECT count(*) FROM runs WHERE command_line NOT LIKE 'true 0%'", texts},
				"texts lost without the mark": {"SELECT count(*) FROM runs WHERE pid >= 100000 AND command_line IS NULL AND NOT command_cut", 0},
				"texts of no run":             {"SELECT count(*) FROM t_command WHERE id > 0 AND id NOT IN (SELECT command FROM t_run)", 0},
			} {
				if n := number(t, r, q.query); n != q.want {
					t.Errorf("%d %s, want %d", n, what, q.want)
				}
			}
			if n := number(t, r, "SELECT count(*) FROM runs WHERE pid >= 100000 AND command_line IS NULL"); n == 0 || n == 500 {
				t.Errorf("%d of 500 long texts went", n)
			}
			agree(t, r)
		})
	}
}

// TestPruneOrphansFirst: texts of no run go, whatever their day, and no others
// when that is enough.
func TestPruneOrphansFirst(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	r := mustRead(t, w)
	mustWrite(t, w, newHistory(seeded(t), 0.5).batch(300)...)
	rest, _ := w.size(t.Context())
	texts := number(t, r, "SELECT count(*) FROM runs WHERE command_line IS NOT NULL")
	flood(t, w, 400, 3000)
	if err := w.do(t.Context(), func(tx *txn) error {
		err := tx.exec("DELETE FROM t_run WHERE pid >= 100000")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	mustPrune(t, w, rest*3/2)
	if n := number(t, r, "SELECT count(*) FROM t_command WHERE text LIKE 'true 0%'"); n != 0 {
		t.Errorf("%d texts of no run", n)
	}
	if n := number(t, r, "SELECT count(*) FROM runs WHERE command_line IS NOT NULL"); n != texts {
		t.Errorf("%d runs with a text, before %d", n, texts)
	}
}

// TestPruneOldestThen: short texts stay with their runs, of which the oldest go.
func TestPruneOldestThen(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	r := mustRead(t, w)
	flood(t, w, 6000, 100)
	size, _ := w.size(t.Context())
	mustPrune(t, w, size*9/10)
	got := dump(t, r, "SELECT count(*) AS runs, count(command_line) AS texts, max(pid) AS newest, min(pid) AS oldest FROM runs")[0]
	runs := got["runs"].(int64)
	if runs < 4000 || runs > 5500 || got["texts"] != runs || got["newest"] != int64(105_999) || got["oldest"] != 106_000-runs {
		t.Errorf("left: %v", got)
	}
	if n := number(t, r, "SELECT count(*) FROM t_command WHERE id > 0"); n != runs {
		t.Errorf("%d texts of %d runs", n, runs)
	}
}

// TestPruneSparesUsage: what open runs take is no reason to delete usage.
func TestPruneSparesUsage(t *testing.T) {
	w := days(t, testOptions(t), 10, 20)
	r := mustRead(t, w)
	if err := w.do(t.Context(), func(tx *txn) error {
		err := tx.exec("INSERT INTO t_live (boot, key, body) VALUES ('b', 'k', ?)", strings.Repeat("x", 4<<20))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	mustPrune(t, w, 2<<20)
	if n := number(t, r, "SELECT count(DISTINCT epoch_day) FROM usage"); n != 10 {
		t.Errorf("%d days of usage", n)
	}
}

// TestTextDuringSweep: a text that a run takes up while Prune looks for texts
// of no run is not one of those.
func TestTextDuringSweep(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	r := mustRead(t, w)
	flood(t, w, 3, 100)
	if err := w.do(t.Context(), func(tx *txn) error {
		err := tx.exec("DELETE FROM t_run")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	last, err := w.lastText(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.used = make(idSet)
	if _, err := w.strip(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	flood(t, w, 1, 100)
	// An Importer tells the Writer nothing of the texts that it adds, of runs of any time.
	if _, err := mustImporter(t, w.opts.Path).Gather(t.Context(), []procmon.Record{whole(with(func(r *procmon.Run) { other(r, -1000) }))}); err != nil {
		t.Fatal(err)
	}
	if err := w.deleteTexts(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	w.used = nil
	got := dump(t, r, "SELECT (SELECT count(*) FROM t_command WHERE id > 0) AS texts, (SELECT count(command_line) FROM runs) AS runs")[0]
	if got["texts"] != int64(2) || got["runs"] != int64(2) {
		t.Errorf("%v", got)
	}
}

// TestNoRoom: above a quarter more than allowed new texts are not kept, those
// that are remembered still serve, and after a Prune new ones are kept again.
func TestNoRoom(t *testing.T) {
	o := testOptions(t)
	o.MaxBytes = 4 << 20
	w := mustOpen(t, o)
	r := mustRead(t, w)
	flood(t, w, 3000, 4000) // 12 MB of texts
	if size := number(t, r, "SELECT p.page_count * s.page_size FROM pragma_page_count p, pragma_page_size s"); size > o.MaxBytes*3/2 {
		t.Errorf("%d bytes, allowed are %d", size, o.MaxBytes)
	}
	if n := number(t, r, "SELECT count(*) FROM runs WHERE command_line IS NULL AND command_cut"); n < 1000 || n == 3000 {
		t.Errorf("%d texts of 3000 not kept", n)
	}
	line := func(pid int32, arg string) any {
		t.Helper()
		mustWrite(t, w, whole(with(func(r *procmon.Run) {
			r.Process.Run.Process.PID = pid
			r.Process.Args = []byte("true\x00" + arg + "\x00")
			r.Process.ArgsBytes = len(r.Process.Args)
		})))
		return dump(t, r, "SELECT command_line FROM runs WHERE pid = ?", pid)[0]["command_line"]
	}
	known := fmt.Sprintf("%08d", 0) + strings.Repeat("x", 4000-8)
	for i, tt := range []struct {
		arg  string
		want any
	}{{"new", nil}, {known, "true " + known}} {
		if got := line(int32(7000+i), tt.arg); got != tt.want {
			t.Errorf("%.20q became %.20q", tt.arg, got)
		}
	}
	mustPrune(t, w, o.MaxBytes)
	if got := line(7003, "new"); got != "true new" {
		t.Errorf("after the prune: %q", got)
	}
	if n := number(t, r, "SELECT count(*) FROM runs"); n != 3003 {
		t.Errorf("%d runs", n)
	}
}

// TestKeptText: whatever quoting makes of them, texts are at most keptText
// long, marked when they are not whole, and the record is left as it was.
func TestKeptText(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	r := mustRead(t, w)
	for i, tt := range []struct {
		name, args string
		cut        int64
		least      int64
	}{
		{"just fits", strings.Repeat("x", keptText), 0, keptText},
		{"one more", strings.Repeat("x", keptText+1), 1, keptText},
		{"long", strings.Repeat("x", 32<<10), 1, keptText},
		{"quotes", strings.Repeat("'", keptText), 1, keptText - 8},
		{"no UTF-8", strings.Repeat("\xff", keptText), 1, keptText - 8},
		{"empty ones", strings.Repeat("\x00", keptText), 1, keptText - 8},
		{"two bytes each", strings.Repeat("ü", keptText), 1, keptText - 8},
		{"many short ones", strings.Repeat("ab\x00", 1000), 0, 2999},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := with(func(r *procmon.Run) {
				r.Process.Run.Process.PID = int32(1000 + i)
				r.Process.Args, r.Process.ArgsBytes = []byte(tt.args), len(tt.args)
			})
			mustWrite(t, w, whole(run))
			got := dump(t, r, "SELECT octet_length(command_line) AS n, command_cut AS cut FROM runs WHERE pid = ?", 1000+i)[0]
			if n := got["n"].(int64); n > keptText || n < tt.least || got["cut"] != tt.cut {
				t.Errorf("%v", got)
			}
			if !bytes.Equal(run.Process.Args, []byte(tt.args)) || run.Process.ArgsBytes != len(tt.args) {
				t.Error("the caller's record was changed")
			}
		})
	}
}

// TestKeptTextOpen: of an open run the daemon gets back all arguments.
func TestKeptTextOpen(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	args := bytes.Repeat([]byte("x"), 32<<10)
	mustWrite(t, w, telling(procmon.Start, with(func(r *procmon.Run) {
		r.End, r.Exit, r.Usage = time.Time{}, nil, nil
		r.Process.Args, r.Process.ArgsBytes = args, len(args)
	}), t0))
	live, _, err := w.Live(t.Context())
	if err != nil || len(live) != 1 || !bytes.Equal(live[0].Run.Process.Args, args) {
		t.Errorf("%d open runs, %v", len(live), err)
	}
	if n := number(t, mustRead(t, w), "SELECT octet_length(command_line) FROM runs WHERE open AND command_cut"); n != keptText {
		t.Errorf("a text of %d bytes", n)
	}
}
