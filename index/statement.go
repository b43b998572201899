package index

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// What follows runs statements on the driver's connection: database/sql would
// cost as much as the row. Each is prepared once in the life of the writer.

// raw prepares a statement and gives it its arguments.
func (t *txn) raw(query string, args []any, run func(s driver.Stmt, args []driver.NamedValue) error) error {
	w := t.w
	w.args = w.args[:0]
	for i, a := range args {
		v, err := valueOf(a)
		if err != nil {
			return err
		}
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return w.conn.Raw(func(conn any) error {
		s, ok := w.prepared[query]
		if !ok {
			var err error
			if s, err = conn.(driver.Conn).Prepare(query); err != nil {
				return err
			}
			w.prepared[query] = s
		}
		return run(s, w.args)
	})
}

// exec runs a statement of which nothing is asked. It goes the way of a query,
// on which the driver binds all arguments at once.
func (t *txn) exec(query string, args ...any) error {
	_, err := t.get(query, args)
	return err
}

// change is exec for statements of which the number of changed rows counts.
func (t *txn) change(query string, args ...any) (n int64, err error) {
	err = t.result(query, args, func(res driver.Result) (err error) {
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// insert is exec for statements that make a row with a new id.
func (t *txn) insert(query string, args ...any) (id int64, err error) {
	err = t.result(query, args, func(res driver.Result) (err error) {
		id, err = res.LastInsertId()
		return err
	})
	return id, err
}

func (t *txn) result(query string, args []any, use func(driver.Result) error) error {
	return t.raw(query, args, func(s driver.Stmt, args []driver.NamedValue) error {
		res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), args)
		if err != nil {
			return err
		}
		return use(res)
	})
}

// get reads the first row into dst and says whether there is one.
func (t *txn) get(query string, args []any, dst ...any) (found bool, err error) {
	err = t.raw(query, args, func(s driver.Stmt, args []driver.NamedValue) error {
		rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
		if err != nil {
			return err
		}
		defer rows.Close()
		for len(t.w.row) < len(dst) {
			t.w.row = append(t.w.row, nil)
		}
		row := t.w.row[:len(dst)]
		if err := rows.Next(row); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		found = true
		for i, v := range row {
			if err := assign(dst[i], v); err != nil {
				return fmt.Errorf("column %d of %q: %w", i, query, err)
			}
		}
		return nil
	})
	return found && err == nil, err
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

// assign stores a column's value where dst points to. NULL is for pointers to
// pointers and for sql's own types only.
func assign(dst any, v driver.Value) error {
	if to, ok := dst.(sql.Scanner); ok {
		return to.Scan(v)
	}
	switch v := v.(type) {
	case int64:
		switch to := dst.(type) {
		case *int64:
			*to = v
			return nil
		case **int64:
			*to = &v
			return nil
		case *int32:
			*to = int32(v)
			return nil
		case *int:
			*to = int(v)
			return nil
		case *bool:
			*to = v != 0
			return nil
		}
	case string:
		switch to := dst.(type) {
		case *string:
			*to = v
			return nil
		case **string:
			*to = &v
			return nil
		}
	case nil:
		switch to := dst.(type) {
		case **int64:
			*to = nil
			return nil
		case **string:
			*to = nil
			return nil
		}
	}
	return fmt.Errorf("a %T does not go into a %T", v, dst)
}
