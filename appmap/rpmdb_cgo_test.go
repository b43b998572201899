//go:build cgo

package appmap

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"procmon"
)

// rpmRoot makes a database of the tables that rpm 4.18 makes, with one
// package.
func rpmRoot(t testing.TB, journal string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "var/lib/rpm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "rpmdb.sqlite")+"?_journal_mode="+journal)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)`,
		`CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)`,
		`INSERT INTO Basenames VALUES ('bwa', 1, 0), ('helper', 1, 1), ('bwa', 2, 0)`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO Packages VALUES (1, ?), (2, x'00')`, header(t)); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRPMDatabase(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			m := newMapper(t, Config{Root: rpmRoot(t, journal)})
			got := m.Identify(context.Background(), &procmon.Process{Exe: "/usr/bin/bwa"})
			if got.Name != "BWA" || got.Version != "0.7.17" || got.Evidence != "rpm" || got.Package != "bwa-0.7.17-9.el9" {
				t.Errorf("got %+v", got)
			}
			if got := m.Identify(context.Background(), &procmon.Process{Exe: "/usr/bin/other"}); got.Name != "" {
				t.Errorf("another file is %+v", got)
			}
		})
	}
}

// TestRPMDatabaseReplaced: a rebuilt database takes the place of the old one.
func TestRPMDatabaseReplaced(t *testing.T) {
	root := rpmRoot(t, "delete")
	r := newRPMDB(root)
	defer r.close()
	if _, ok := r.owner(context.Background(), "/usr/bin/bwa"); !ok {
		t.Fatal("not found")
	}
	name := filepath.Join(root, rpmPaths[1])
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.owner(context.Background(), "/usr/bin/bwa"); ok {
		t.Error("found in a database that is gone")
	}
	if err := os.WriteFile(name, []byte("no database at all, but long enough to be looked at"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.owner(context.Background(), "/usr/bin/bwa"); ok {
		t.Error("found in a file that is no database")
	}
}

// TestRPMDatabaseIsNotFollowed: a link is no database.
func TestRPMDatabaseIsNotFollowed(t *testing.T) {
	root, other := t.TempDir(), rpmRoot(t, "delete")
	if err := os.MkdirAll(filepath.Join(root, "var/lib/rpm"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, rpmPaths[1]), filepath.Join(root, rpmPaths[1])); err != nil {
		t.Fatal(err)
	}
	r := newRPMDB(root)
	defer r.close()
	if _, ok := r.owner(context.Background(), "/usr/bin/bwa"); ok {
		t.Error("a symbolic link was followed out of the root")
	}
}
