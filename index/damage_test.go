package index

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// long says whether the tests of faults are to take their time.
func long(t *testing.T, rounds, most int) int {
	t.Helper()
	if os.Getenv("PROCMON_TEST_LONG") != "" {
		return most
	}
	t.Logf("%d of %d rounds; all with PROCMON_TEST_LONG=1", rounds, most)
	return rounds
}

// soundIndex is an index of a stopped daemon with some thousand runs.
func soundIndex(t *testing.T) []byte {
	t.Helper()
	w := mustOpen(t, testOptions(t))
	for range 4 {
		mustWrite(t, w, newHistory(rand.New(rand.NewPCG(5, 6)), 0.3).batch(500)...)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(w.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var damages = []struct {
	name string
	do   func(rnd *rand.Rand, b []byte) []byte
}{
	{"truncated", func(rnd *rand.Rand, b []byte) []byte { return b[:1+rnd.IntN(len(b)-1)] }},
	{"one bit", func(rnd *rand.Rand, b []byte) []byte {
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		return b
	}},
	{"one bit of the first pages", func(rnd *rand.Rand, b []byte) []byte {
		b[rnd.IntN(3*4096)] ^= 1 << rnd.IntN(8)
		return b
	}},
	{"a page of zeros", func(rnd *rand.Rand, b []byte) []byte {
		at := rnd.IntN(len(b)/4096) * 4096
		clear(b[at : at+4096])
		return b
	}},
	{"a sector of noise", func(rnd *rand.Rand, b []byte) []byte {
		at := rnd.IntN(len(b)/512) * 512
		for i := range 512 {
			b[at+i] = byte(rnd.Uint32())
		}
		return b
	}},
	{"all zeros", func(_ *rand.Rand, b []byte) []byte {
		clear(b)
		return b
	}},
	{"no SQLite", func(_ *rand.Rand, b []byte) []byte { return bytes.Repeat([]byte("text\n"), len(b)/5) }},
}

// TestDamage damages an index in many ways: it opens, or is set aside with a
// message, and goes on either way.
func TestDamage(t *testing.T) {
	rnd, good := seeded(t), soundIndex(t)
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			moved := 0
			rounds := long(t, 12, 300)
			for range rounds {
				if setAside(t, tt.do(rnd, bytes.Clone(good))) {
					moved++
				}
			}
			t.Logf("%d of %d were set aside", moved, rounds)
			if moved == 0 && !strings.HasPrefix(tt.name, "one bit") {
				t.Error("none was set aside")
			}
		})
	}
}

// setAside lets a writer and a reader meet a file and says whether the writer
// began a new one.
func setAside(t *testing.T, file []byte) bool {
	t.Helper()
	o := testOptions(t)
	defer os.RemoveAll(filepath.Dir(o.Path))
	var log strings.Builder
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for _, f := range []struct {
		path string
		b    []byte
	}{{o.Path, file}, {o.Path + ".lock", nil}} {
		if err := os.WriteFile(f.path, f.b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := OpenReader(t.Context(), o.Path); err == nil {
		if _, err = r.Info(t.Context()); err != nil && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "restart procmond")) {
			t.Errorf("reading: %v", err)
		}
		r.Close()
	}
	w, err := Open(t.Context(), o)
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer) { // the header's own numbers changed
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	runs := aBatch(100)
	for i := range runs {
		runs[i].Run.Start = runs[i].Run.Start.AddDate(1, 0, 0)
		runs[i].Run.End = runs[i].Run.End.AddDate(1, 0, 0)
	}
	mustWrite(t, w, runs...)
	r := mustRead(t, w)
	defer r.Close()
	if n := number(t, r, fmt.Sprint("SELECT count(*) FROM t_run WHERE id > ", t0.AddDate(0, 6, 0).UnixMicro())); n != 100 {
		t.Errorf("%d runs written later, want 100", n)
	}
	aside, err := filepath.Glob(o.Path + ".damaged-*Z")
	if err != nil || len(aside) > 1 {
		t.Fatal(aside, err)
	}
	if said := strings.Contains(log.String(), "was set aside"); said != (len(aside) == 1) {
		t.Errorf("set aside: %v, log: %s", aside, log.String())
	}
	if len(aside) == 0 {
		return false
	}
	if b, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(b, file) {
		t.Errorf("what was set aside is not what was damaged: %v", err)
	}
	if st, err := os.Stat(o.Path); err != nil || st.Mode() != fileMode {
		t.Errorf("the new one: %v, %v", st, err)
	}
	agree(t, r)
	return true
}

// TestDamageWhileRunning damages the file below a writer: no batch fails, and
// what comes later is in the new file.
func TestDamageWhileRunning(t *testing.T) {
	o := testOptions(t)
	var log strings.Builder
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w := mustOpen(t, o)
	h := newHistory(seeded(t), 0.3)
	mustWrite(t, w, h.batch(2000)...)
	if _, err := w.conn.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 0; PRAGMA shrink_memory"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < st.Size(); at += 4096 {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	last := h.batch(100)
	mustWrite(t, w, last...)
	if err := w.Prune(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.LastSeen(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "was set aside") {
		t.Errorf("log: %s", log.String())
	}
	r := mustRead(t, w)
	if n := number(t, r, "SELECT count(*) FROM runs"); n != int64(len(last)) {
		t.Errorf("%d runs in the new file", n)
	}
	agree(t, r)
}

// Only what was an index is moved; of damaged ones the newest stay.
func TestSetAsideIsBounded(t *testing.T) {
	o := testOptions(t)
	now := t0
	o.Now = func() time.Time { return now }
	if err := os.WriteFile(o.Path, []byte(strings.Repeat("my thesis\n", 1000)), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first try must not make it one of ours
		_, err := Open(t.Context(), o)
		says(t, err, ErrDamaged, "nothing says that it ever was an index")
	}
	for i := range 5 {
		now = t0.Add(time.Duration(i) * time.Minute)
		if err := os.WriteFile(o.Path, []byte(fmt.Sprint("damage ", i, strings.Repeat("x", 4096))), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.Path+".lock", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, o).Close()
	}
	aside, err := filepath.Glob(o.Path + ".damaged-*Z")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range aside {
		if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte("damage 3")) && !bytes.HasPrefix(b, []byte("damage 4")) {
			t.Errorf("%s stays, %v", path, err)
		}
	}
	if len(aside) != keptAside {
		t.Errorf("%v", aside)
	}
}

// TestSetAsideCounts keeps damaged files only as far as they fit beside the index.
func TestSetAsideCounts(t *testing.T) {
	const size = 1 << 20
	for name, c := range map[string]struct {
		room int64 // beside the index; 0: max_bytes is not set
		keep []string
	}{
		"no limit":       {0, []string{"newer", "older"}},
		"room for both":  {3 * size, []string{"newer", "older"}},
		"room for one":   {2*size - 1, []string{"newer"}},
		"room for none":  {size - 1, nil},
		"no room at all": {-1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, log := testOptions(t), &bytes.Buffer{}
			o.Logger = slog.New(slog.NewTextHandler(log, nil))
			w := mustOpen(t, o)
			mustWrite(t, w, aBatch(200)...)
			paths := map[string]string{"older": o.Path + asideMark + "20261122T070000.000Z", "newer": o.Path + asideMark + "20261122T080000.000Z"}
			for _, path := range paths {
				for suffix, bytes := range map[string]int{"": size - 20, "-wal": 10, "-shm": 10} {
					if err := os.WriteFile(path+suffix, make([]byte, bytes), 0o640); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.room != 0 {
				used, err := w.size(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.opts.MaxBytes = used + c.room
			}
			if err := w.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, path := range paths {
				files, _ := filepath.Glob(path + "*")
				if want := slices.Contains(c.keep, name); want && len(files) != 3 || !want && len(files) != 0 {
					t.Errorf("the %s has %d files", name, len(files))
				}
				if said := strings.Contains(log.String(), path); said == slices.Contains(c.keep, name) {
					t.Errorf("the log:\n%s", log)
				}
			}
			if c.room > 0 && strings.Contains(log.String(), "larger than allowed") {
				t.Error(log)
			}
			agree(t, mustRead(t, w))
		})
	}
}
