package main

import (
	"database/sql"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"procmon/report/reporttest"
)

// newer makes an index as a later version of the program would.
func newer(t *testing.T, path string) {
	t.Helper()
	reporttest.Append(t, path, "n1")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 9999"); err != nil {
		t.Fatal(err)
	}
}
