//go:build cgo

package index

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// connector opens connections without a driver registered by name, which
// would be state of the process.
type connector struct {
	driver sqlite3.SQLiteDriver
	dsn    string
}

func (c *connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c *connector) Driver() driver.Driver                        { return &c.driver }

// openDB gives a pool of connections to dsn. persist keeps the write-ahead log
// on disk when the last connection closes: without it a reader that may not
// write cannot open the file after a clean stop.
func openDB(dsn string, persist bool) *sql.DB {
	c := &connector{dsn: dsn}
	if persist {
		c.driver.ConnectHook = func(conn *sqlite3.SQLiteConn) error {
			return conn.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1)
		}
	}
	return sql.OpenDB(c)
}

// isTaken says whether a row was not made because another one has its key.
func isTaken(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.ExtendedCode == sqlite3.ErrConstraintPrimaryKey || se.ExtendedCode == sqlite3.ErrConstraintUnique || se.ExtendedCode == sqlite3.ErrConstraintRowID)
}

// explain puts the sentinel in front of what SQLite says of a file.
func explain(path string, err error) error {
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("index %s: %w", path, err)
	}
	if se.ExtendedCode == sqlite3.ErrIoErrShortRead { // it ends in the midst of a page
		se.Code = sqlite3.ErrCorrupt
	}
	switch se.Code {
	case sqlite3.ErrNotADB, sqlite3.ErrCorrupt:
		return fmt.Errorf("index %s: %w (%w)", path, ErrDamaged, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("index %s: no space left on its file system, or a quota is reached: %w", path, err)
	case sqlite3.ErrBusy:
		return fmt.Errorf("index %s: another process holds its lock: %w", path, err)
	case sqlite3.ErrCantOpen:
		return fmt.Errorf("index %s: cannot be opened; are the file, its -wal and -shm readable to you?: %w", path, err)
	}
	return fmt.Errorf("index %s: %w", path, err)
}
