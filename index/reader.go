package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Reader reads an index. It never writes, needs no write access to the file or
// its directory, and works while a Writer writes. It can be used by several
// goroutines at once.
type Reader struct {
	db   *sql.DB
	path string
}

// Info is what an index says of itself.
type Info struct {
	Path      string
	Schema    int
	Runs      int64      // runs counted in the daily sums, pruned ones included
	First     time.Time  // start of the first of them; zero: there are none
	Last      time.Time  // the newest start or end recorded; zero: there are none
	RunsFrom  time.Time  // single runs that started earlier were pruned; zero: none were
	UsageFrom time.Time  // usage and history of earlier UTC days were pruned; zero: none were
	Hosts     []HostInfo // by name
}

// HostInfo is a host in the index.
type HostInfo struct {
	Name string
	Seen time.Time // newest time at which its writer surely ran; zero: not known
}

// OpenReader opens the index at path. It wraps ErrNone when there is none,
// fs.ErrPermission when it may not be read, and the other sentinels.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	if err := readable(path); err != nil {
		return nil, err
	}
	dsn, err := fileURI(path, url.Values{
		"mode":          {"ro"},
		"_busy_timeout": {"5000"},
		"_query_only":   {"1"},
	})
	if err != nil {
		return nil, err
	}
	r := &Reader{db: openDB(dsn, false), path: path}
	r.db.SetMaxOpenConns(4)
	if err := r.check(ctx); err != nil {
		return nil, errors.Join(explainReading(path, err), r.db.Close())
	}
	return r, nil
}

// DB is for queries over the views.
func (r *Reader) DB() *sql.DB { return r.db }

// Close ends the reader.
func (r *Reader) Close() error { return r.db.Close() }

func (r *Reader) check(ctx context.Context) error {
	state, err := readState(ctx, r.db)
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	return state.checkForReader(len(steps))
}

// Info tells what the index holds.
func (r *Reader) Info(ctx context.Context) (Info, error) {
	info := Info{Path: r.path}
	if err := r.info(ctx, &info); err != nil {
		return Info{}, explainReading(r.path, err)
	}
	return info, nil
}

func (r *Reader) info(ctx context.Context, info *Info) error {
	var runs, first, last, runsFrom, usageFrom sql.NullInt64
	err := r.db.QueryRowContext(ctx, `SELECT sum(runs),
		(SELECT min(day * 86400000 + first) * 1000 FROM t_total WHERE day = (SELECT min(day) FROM t_total)),
		(SELECT max(day * 86400000 + last) * 1000 FROM t_total WHERE day = (SELECT max(day) FROM t_total)),
		(SELECT value FROM t_meta WHERE key = 'runs_from'), (SELECT value FROM t_meta WHERE key = 'usage_from') FROM t_total`).
		Scan(&runs, &first, &last, &runsFrom, &usageFrom)
	if err != nil {
		return err
	}
	if err := r.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&info.Schema); err != nil {
		return err
	}
	info.Runs = runs.Int64
	info.First, info.Last = timeOf(first), timeOf(last)
	info.RunsFrom = timeOf(runsFrom)
	if usageFrom.Valid {
		info.UsageFrom = time.Unix(usageFrom.Int64*secondsADay, 0).UTC()
	}
	rows, err := r.db.QueryContext(ctx, "SELECT name, seen FROM t_host ORDER BY name")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h HostInfo
		var seen sql.NullInt64
		if err := rows.Scan(&h.Name, &seen); err != nil {
			return err
		}
		h.Seen = timeOf(seen)
		info.Hosts = append(info.Hosts, h)
	}
	return rows.Err()
}

// explainReading is explain for those who cannot set a damaged file aside.
func explainReading(path string, err error) error {
	if err = explain(path, err); errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: restart procmond, it sets a damaged index aside and begins a new one; "+
			"where none writes it, move it away and import the JSON lines again", err)
	}
	return err
}

// readable turns the usual reasons why a file cannot be read into errors that
// say so; SQLite would only say that it is unable to open the file. It does not
// open the file: closing it again would drop the locks that SQLite holds on it
// elsewhere in this process (fcntl_locking(2)).
func readable(path string) error {
	st, err := os.Stat(path)
	if err == nil {
		err = mayRead(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("index %s: %w: is the path right, and has procmond run?", path, ErrNone)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("index %s: %w: only root and members of the index's group may read it", path, fs.ErrPermission)
	case err != nil:
		return fmt.Errorf("index: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("index %s: %w: it is no regular file", path, ErrForeign)
	}
	return nil
}

// fileURI is SQLite's name for a file, with everything escaped that a path may hold.
func fileURI(path string, options url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	query := "_mutex=no" // database/sql gives a connection to one goroutine at a time
	if len(options) > 0 {
		query += "&" + options.Encode()
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: query}).String(), nil
}
