package index

import (
	"context"
	"database/sql"
	"errors"
)

// txn is one transaction and the sums that it is going to book.
type txn struct {
	w        *Writer
	usage    map[usageKey]*sums
	later    map[int64]int64          // identities that are booked to a day after their run began
	recharge map[int64]map[int64]bool // jobs whose charge changed, with the charges concerned
	folds    int                      // how many jobs became one with another
}

// do runs work in one transaction. A cancelled context keeps it from
// beginning, but a transaction once begun is brought to its end: it is short,
// and a statement that can be interrupted costs a goroutine each.
func (w *Writer) do(ctx context.Context, work func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errors.New("index: the writer is closed")
	}
	if w.conn == nil { // it was damaged, and no new one could be begun then
		if err := w.begin(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	err := w.attempt(work)
	if !errors.Is(err, ErrDamaged) || !w.keeps {
		return err
	}
	_ = w.release() // whatever that says of a damaged file
	if err := w.renew(context.WithoutCancel(ctx), err); err != nil {
		return err
	}
	return w.attempt(work)
}

// attempt performs work in a transaction of its own.
func (w *Writer) attempt(work func(*txn) error) error {
	t := &txn{w: w, usage: make(map[usageKey]*sums), later: make(map[int64]int64), recharge: make(map[int64]map[int64]bool)}
	if err := t.perform(work); err != nil {
		// What the caches learned from this transaction never came to be.
		w.cache = newCache()
		if !w.keeps { // the runs that go on are another one's
			w.cache.live = make(map[liveKey]liveState)
		}
		return explain(w.opts.Path, err)
	}
	return nil
}

func (t *txn) perform(work func(*txn) error) (err error) {
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// After some errors SQLite has rolled back by itself, and says so here.
			_ = t.exec("ROLLBACK")
		}
	}()
	if err := t.noticeOthers(); err != nil {
		return err
	}
	if t.w.cache.live == nil {
		if err := t.loadLive(); err != nil {
			return err
		}
	}
	if err := work(t); err != nil {
		return err
	}
	err = t.exec("COMMIT")
	return err
}

// noticeOthers forgets what the caches hold when another process has written:
// an Importer may have made two jobs one.
func (t *txn) noticeOthers() error {
	var version int64
	if _, err := t.get("PRAGMA data_version", nil, &version); err != nil {
		return err
	}
	if t.w.version != version {
		if t.w.version != 0 {
			t.w.others++
		}
		t.w.cache.forget()
		t.w.version = version
	}
	return nil
}

// stmt prepares each question of many rows once in the life of the writer.
func (t *txn) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.w.stmts[query]; ok {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.w.stmts[query] = s
	}
	return s, err
}

// each calls row for every row of a query; row scans it.
func (t *txn) each(query string, args []any, row func(scan func(...any) error) error) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// setMeta keeps the greater of two numbers under key.
func (t *txn) setMeta(key string, value int64) error {
	err := t.exec(`INSERT INTO t_meta (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)`, key, value)
	return err
}

// seen notes that host's writer ran at a time.
func (t *txn) seen(host string, micros int64) error {
	id, err := t.host(host)
	if err != nil {
		return err
	}
	err = t.exec("UPDATE t_host SET seen = max(ifnull(seen, 0), ?) WHERE id = ?", micros, id)
	return err
}
