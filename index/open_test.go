package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOpenErrors: what stands at the path, and what both sides say of it.
func TestOpenErrors(t *testing.T) {
	sqlite := func(statements string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			uri, err := fileURI(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			db := openDB(uri, false)
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), statements); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := func(s string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(s), 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name         string
		path         string
		make         func(*testing.T, string)
		write, read  error // nil: opens
		writes, says string
	}{
		{"nothing", "a.db", nil, nil, ErrNone, "", "has procmond run?"},
		{"no directory", "no/a.db", nil, fs.ErrNotExist, ErrNone, "make the directory", "is the path right"},
		{"a directory", "a.db", func(t *testing.T, p string) { os.Mkdir(p, 0o755) }, ErrForeign, ErrForeign, "no regular file", "no regular file"},
		{"an empty file", "a.db", text(""), nil, ErrNone, "", "fills it at its first start"},
		{"text", "a.db", text(strings.Repeat("no database ", 100)), ErrDamaged, ErrDamaged, "move it away", "restart procmond"},
		{"another program's", "a.db", sqlite("CREATE TABLE x (y)"), ErrForeign, ErrForeign, "another program", "another program"},
		{"another program's, with a version", "a.db", sqlite("CREATE TABLE x (y); PRAGMA user_version = 1"), ErrForeign, ErrForeign, "another program", "another program"},
		{"newer", "a.db", sqlite("CREATE TABLE x (y); PRAGMA application_id = 0x70726d6e; PRAGMA user_version = 999"), ErrNewer, ErrNewer, "its schema is 999", "its schema is 999"},
		{"a path with all that URIs know", "a?b#c%41 d.db", nil, nil, ErrNone, "", "a?b#c%41 d.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(t)
			o.Path = filepath.Join(filepath.Dir(o.Path), tt.path)
			if tt.make != nil {
				tt.make(t, o.Path)
			}
			_, err := OpenReader(t.Context(), o.Path)
			says(t, err, tt.read, tt.says)
			w, err := Open(t.Context(), o)
			if says(t, err, tt.write, tt.writes); err != nil {
				return
			}
			defer w.Close()
			if _, err := os.Stat(o.Path); err != nil {
				t.Error(err)
			}
			mustRead(t, w)
		})
	}
}

func says(t *testing.T, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error = %v, want %v and %q", err, want, text)
	}
}

// A file that was newer stays as it is.
func TestNewerIsLeftAlone(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	mustWrite(t, w, whole(aRun()))
	if _, err := w.conn.ExecContext(t.Context(), "PRAGMA user_version = 7"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	before, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), o)
	says(t, err, ErrNewer, fmt.Sprintf("its schema is 7, this program knows %d", newestSchema(t)))
	after, _ := os.ReadFile(o.Path)
	if !cmp.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestOneWriter(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	_, err := Open(t.Context(), o)
	says(t, err, ErrInUse, "stop it first")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := w.Write(t.Context(), aBatch(1)); err == nil {
		t.Error("writing after Close")
	}
	mustOpen(t, o)
}

func TestModes(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(aRun()))
	check := func() {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			st, err := os.Stat(w.opts.Path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if st.Mode() != fileMode {
				t.Errorf("%s has mode %v", st.Name(), st.Mode())
			}
		}
	}
	check()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check() // both stay after a clean stop, for readers that cannot make them
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(w.opts.Path+suffix, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	w = mustOpen(t, w.opts)
	check()
}

func TestFileSettings(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	for pragma, want := range map[string]any{"journal_mode": "wal", "auto_vacuum": int64(2), "application_id": int64(applicationID),
		"user_version": int64(newestSchema(t)), "synchronous": int64(1), "wal_autocheckpoint": int64(4096)} {
		var got any
		if err := w.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", pragma, got, err, want)
		}
	}
}

// The views must let SQLite begin with what a question narrows most.
func TestViewsUseIndexes(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(aRun()))
	r := mustRead(t, w)
	for _, tt := range []struct{ query, uses string }{
		{"SELECT * FROM runs WHERE raw_job_id = '9'", "t_run_step"},
		{"SELECT * FROM runs WHERE job_id = '9'", "t_job_said"},
		{"SELECT * FROM runs WHERE run_id BETWEEN 1 AND 9", "SEARCH r USING INTEGER PRIMARY KEY"},
		{"SELECT * FROM usage WHERE raw_job_id = '9'", "t_usage_step"},
		{"SELECT * FROM usage WHERE epoch_day BETWEEN 1 AND 9", "SEARCH g USING PRIMARY KEY"},
		{"SELECT * FROM history WHERE epoch_day BETWEEN 1 AND 9", "SEARCH g USING PRIMARY KEY"},
		{"SELECT * FROM jobs WHERE job_id = '9'", "t_job_said"},
	} {
		t.Run(tt.query, func(t *testing.T) {
			var plan []string
			for _, row := range dump(t, r, "EXPLAIN QUERY PLAN "+tt.query) {
				plan = append(plan, row["detail"].(string))
			}
			if all := strings.Join(plan, "\n"); !strings.Contains(all, tt.uses) {
				t.Errorf("no %q in the plan:\n%s", tt.uses, all)
			}
		})
	}
}

func TestReaderCannotWrite(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(aRun()))
	r := mustRead(t, w)
	if _, err := r.DB().ExecContext(t.Context(), "DELETE FROM t_run"); err == nil {
		t.Error("a reader deleted runs")
	}
}
