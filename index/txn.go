package index

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// txn is one transaction and the sums that it is going to book.
type txn struct {
	w        *Writer
	usage    map[usageKey]*sums
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
	if w.stmts == nil {
		return errors.New("index: the writer is closed")
	}
	t := &txn{w: w, usage: make(map[usageKey]*sums), recharge: make(map[int64]map[int64]bool)}
	if err := t.perform(work); err != nil {
		// What the caches learned from this transaction never came to be.
		w.cache = newCache()
		return explain(w.opts.Path, err)
	}
	return nil
}

func (t *txn) perform(work func(*txn) error) (err error) {
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// After some errors SQLite has rolled back by itself, and says so here.
			_, _ = t.exec("ROLLBACK")
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
	_, err = t.exec("COMMIT")
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
		t.w.cache.forget()
		t.w.version = version
	}
	return nil
}

// stmt prepares each question once in the life of the writer.
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

// exec runs a statement on the driver's connection: database/sql would cost as
// much as the row.
func (t *txn) exec(query string, args ...any) (res driver.Result, err error) {
	w := t.w
	w.args = w.args[:0]
	for i, a := range args {
		v, err := valueOf(a)
		if err != nil {
			return nil, err
		}
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return res, w.conn.Raw(func(conn any) error {
		s, ok := w.execs[query]
		if !ok {
			prepared, err := conn.(driver.Conn).Prepare(query)
			if err != nil {
				return err
			}
			s = prepared.(driver.StmtExecContext)
			w.execs[query] = s
		}
		res, err = s.ExecContext(context.Background(), w.args)
		return err
	})
}

// valueOf makes an argument one that drivers take.
func valueOf(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte:
		return v, nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case sql.NullInt64:
		if !v.Valid {
			return nil, nil
		}
		return v.Int64, nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

// change is exec for statements of which the number of changed rows counts.
func (t *txn) change(query string, args ...any) (int64, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert is exec for statements that make a row with a new id.
func (t *txn) insert(query string, args ...any) (id int64, err error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// get reads the first row into dst and says whether there is one.
func (t *txn) get(query string, args []any, dst ...any) (bool, error) {
	s, err := t.stmt(query)
	if err != nil {
		return false, err
	}
	err = s.QueryRow(args...).Scan(dst...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
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
	_, err := t.exec(`INSERT INTO t_meta (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)`, key, value)
	return err
}

// seen notes that host's writer ran at a time.
func (t *txn) seen(host string, micros int64) error {
	id, err := t.host(host)
	if err != nil {
		return err
	}
	_, err = t.exec("UPDATE t_host SET seen = max(ifnull(seen, 0), ?) WHERE id = ?", micros, id)
	return err
}
