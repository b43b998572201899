package index

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"procmon"
)

// Options say which index a Writer writes and how long it keeps what.
type Options struct {
	Path      string           // of the SQLite file; its directory must be there
	Host      string           // this host's name, for Heartbeat and JobShare
	Boot      string           // this boot's id; tells Live which runs can still go on
	Group     string           // group that may read the index; empty: leave it
	KeepRuns  time.Duration    // how long single runs are kept, 0: for ever
	KeepUsage time.Duration    // how long daily sums and losses are kept, 0: for ever
	MaxBytes  int64            // how large the file may grow, 0: without limit
	Bulk      bool             // much is loaded at once: take 64 MiB of memory and checkpoint less often
	Logger    *slog.Logger     // nil: none
	Now       func() time.Time // nil: time.Now
}

// Writer writes an index. One goroutine calls Write; the other methods may be
// called by others at the same time, and then wait for one another.
type Writer struct {
	opts  Options
	lock  io.Closer // held against other writers
	keeps bool      // this is the one writer, which may begin the file anew
	known bool      // a writer has held the lock of this path before

	mu     sync.Mutex // guards what follows and orders transactions
	closed bool
	db     *sql.DB
	conn   *sql.Conn            // nil: the file could not be begun anew yet
	stmts  map[string]*sql.Stmt // of conn, by their text: those of many rows
	cache  cache
	// prepared are conn's other statements, and args and row the room for
	// what goes into them and comes from them.
	prepared map[string]driver.Stmt
	args     []driver.NamedValue
	row      []driver.Value
	// version is SQLite's data_version, as of which the cache is right: it
	// changes when another process writes.
	version int64
	others  int    // how often it changed
	line    []byte // the command line in the making
	ends    int    // the slot of noteEnds that was written last
	used    idSet  // texts that runs refer to, while Prune collects them; else nil
	full    bool   // there is no room for new texts

	pruning sync.Mutex // held by the one Prune at a time
}

// Open opens the index for writing, and makes or migrates it where needed. The
// files belong to root and Options.Group with mode 0640.
func Open(ctx context.Context, opts Options) (*Writer, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Host == "" {
		return nil, fmt.Errorf("index %s: no host name given", opts.Path)
	}
	if err := prepareFile(opts.Path); err != nil {
		return nil, err
	}
	w := &Writer{opts: opts, keeps: true}
	_, err := os.Lstat(opts.Path + ".lock")
	w.known = err == nil
	if w.lock, err = lockFile(opts.Path + ".lock"); err != nil {
		return nil, fmt.Errorf("index %s: %w", opts.Path, err)
	}
	if err := w.begin(ctx); err != nil {
		if !w.known { // it was no index before, and is none now
			err = errors.Join(err, os.Remove(opts.Path+".lock"))
		}
		return nil, errors.Join(err, w.lock.Close())
	}
	w.known = true
	return w, nil
}

// begin opens the file. A damaged one is set aside for a new one.
func (w *Writer) begin(ctx context.Context) error {
	err := w.connect(ctx)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	return w.renew(ctx, err)
}

// renew sets a damaged file aside and begins a new one.
func (w *Writer) renew(ctx context.Context, damage error) error {
	if err := w.setAside(damage); err != nil {
		return err
	}
	if err := prepareFile(w.opts.Path); err != nil {
		return err
	}
	return w.connect(ctx)
}

func (w *Writer) connect(ctx context.Context) error {
	cache := "-4000" // KiB
	if w.opts.Bulk {
		cache = "-65536"
	}
	dsn, err := fileURI(w.opts.Path, url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"},
		"_busy_timeout": {"5000"},
		"_txlock":       {"immediate"},
		"_auto_vacuum":  {"incremental"},
		"_cache_size":   {cache},
	})
	if err != nil {
		return err
	}
	w.use(dsn)
	if err := w.start(ctx); err != nil {
		return errors.Join(explain(w.opts.Path, err), w.release())
	}
	return nil
}

// use takes up a file with nothing known of it.
func (w *Writer) use(dsn string) {
	w.db = openDB(dsn, true)
	w.db.SetMaxOpenConns(1)
	w.stmts, w.prepared = make(map[string]*sql.Stmt), make(map[string]driver.Stmt)
	w.cache, w.version = newCache(), 0
}

func (w *Writer) start(ctx context.Context) error {
	if err := inspect(ctx, w.opts.Path, w.opts.Logger); err != nil {
		return err
	}
	if err := protect(w.opts.Path, w.opts.Group, w.opts.Logger); err != nil {
		return err
	}
	if err := migrate(ctx, w.db); err != nil {
		return err
	}
	if err := protect(w.opts.Path, w.opts.Group, w.opts.Logger); err != nil {
		return err
	}
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	// 16 MiB of log between checkpoints write a page that changes often once
	// instead of many times. A log that grew longer behind a slow reader is cut
	// back when it is next begun anew. It is the one connection there is, so
	// that these need not stand in the DSN, which has no names for them.
	pages := 4096
	if w.opts.Bulk {
		pages *= 16
	}
	_, err = w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = 33554432", pages))
	return err
}

// Close ends the writer. The write-ahead log stays, emptied into the file, so
// that readers without write access can go on.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.release(), w.lock.Close())
}

// release gives back the connection and all that hangs on it.
func (w *Writer) release() error {
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	for _, s := range w.prepared {
		errs = append(errs, s.Close())
	}
	w.stmts, w.prepared = nil, nil
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
		w.conn = nil
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
		w.db = nil
	}
	return errors.Join(errs...)
}

// Heartbeat notes that a writer for this host ran at t.
func (w *Writer) Heartbeat(ctx context.Context, t time.Time) error {
	return w.do(ctx, func(tx *txn) error { return tx.seen(w.opts.Host, t.UnixMicro()) })
}

// LastSeen is the time up to which all is known: that of the last SaveLive, or,
// before the first, the newest at which a writer for this host surely ran. The
// zero time: there was none yet.
func (w *Writer) LastSeen(ctx context.Context) (time.Time, error) {
	var seen sql.NullInt64
	err := w.do(ctx, func(t *txn) error {
		_, err := t.get(`SELECT ifnull(
			(SELECT value FROM t_meta WHERE key = ?2 || ?1),
			(SELECT max(seen) FROM t_host WHERE name = ?1))`, []any{clean(w.opts.Host), metaKnown}, &seen)
		return err
	})
	return timeOf(seen), err
}

// Write stores records in one transaction. Its error contract is the package's.
func (w *Writer) Write(ctx context.Context, records []procmon.Record) error {
	if len(records) == 0 {
		return nil
	}
	var bad []error
	err := w.do(ctx, func(tx *txn) error {
		bad = nil
		for i := range records {
			var refused *refusal
			switch err := tx.store(i, &records[i]); {
			case errors.As(err, &refused):
				bad = append(bad, err)
			case err != nil:
				return err
			}
		}
		if err := tx.flush(); err != nil {
			return err
		}
		if err := tx.noteEnds(records); err != nil {
			return err
		}
		return tx.seen(w.opts.Host, w.opts.Now().UnixMicro())
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	now := w.opts.Now()
	return &procmon.LostError{
		Loss: procmon.Loss{Count: uint64(len(bad)), CPU: -1, From: now, To: now, Reason: procmon.LossRejected, Where: "index"},
		Err:  fmt.Errorf("index: %w", bad[0]),
	}
}

// refusal is why one record can never be stored.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }
