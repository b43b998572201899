//go:build cgo

package appmap

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver of rpm's database
)

// rpmPaths are where rpm keeps its SQLite database, below the root.
var rpmPaths = []string{"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"}

const (
	maxRPMBlob       = 64 << 20 // bytes of one package's header
	maxRPMCandidates = 64       // packages that hold a file of one base name
)

// rpmdb answers which package a file belongs to, by rpm's own index of base
// names. Nothing is kept in memory but the connection.
type rpmdb struct {
	root string

	mu    sync.Mutex // guards what follows
	db    *sql.DB
	stamp os.FileInfo // of the file that db has open
}

func newRPMDB(root string) *rpmdb { return &rpmdb{root: root} }

// owner finds the package that lists a file.
func (r *rpmdb) owner(ctx context.Context, file string) (rpmPackage, bool) {
	db := r.open()
	if db == nil {
		return rpmPackage{}, false
	}
	name := filepath.Base(file)
	rows, err := db.QueryContext(ctx, `SELECT p.blob FROM Packages p WHERE length(p.blob) <= ? AND p.hnum IN
		(SELECT hnum FROM Basenames WHERE key = ? OR key = CAST(? AS BLOB) LIMIT ?)`, maxRPMBlob, name, name, maxRPMCandidates)
	if err != nil {
		return rpmPackage{}, false
	}
	defer rows.Close()
	for rows.Next() {
		var blob sql.RawBytes
		if rows.Scan(&blob) != nil {
			break
		}
		if p, err := parseRPMHeader(blob); err == nil && p.files.has(file) {
			p.files = rpmFiles{} // its bytes are SQLite's
			return p, rows.Err() == nil
		}
	}
	_ = rows.Err() // a database that can't be read is an empty one
	return rpmPackage{}, false
}

// open opens the database, or again when another file has taken its place.
func (r *rpmdb) open() *sql.DB {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, info := r.find()
	if info == nil {
		return nil
	}
	if r.db == nil || !unchanged(info, r.stamp) {
		if r.db != nil {
			r.db.Close()
		}
		r.db, r.stamp = connect(name), info
	}
	return r.db
}

func (r *rpmdb) find() (string, os.FileInfo) {
	for _, p := range rpmPaths {
		name := filepath.Join(r.root, p)
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			return name, info
		}
	}
	return "", nil
}

// connect opens for reading. A database in WAL mode can't be read where its
// directory is read-only (the daemon's own sandbox); it is then taken as
// immutable, which sees all but a transaction that is not checkpointed yet.
func connect(name string) *sql.DB {
	for _, mode := range []string{"mode=ro&_query_only=1", "mode=ro&immutable=1&_query_only=1"} {
		db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: name}).EscapedPath()+"?"+mode)
		if err != nil {
			continue
		}
		db.SetMaxOpenConns(1)
		var n int
		err = db.QueryRow(`SELECT 1 FROM Basenames LIMIT 1`).Scan(&n)
		if err == nil || errors.Is(err, sql.ErrNoRows) {
			return db
		}
		db.Close()
	}
	return nil
}

func (r *rpmdb) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		return nil
	}
	return r.db.Close()
}
