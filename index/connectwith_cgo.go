//go:build cgo

package index

import (
	"database/sql"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// openDBWith gives a pool of connections to dsn, each of which begins with the statements.
func openDBWith(dsn string, statements []string) *sql.DB {
	c := &connector{dsn: dsn}
	c.driver.ConnectHook = func(conn *sqlite3.SQLiteConn) error {
		for _, s := range statements {
			if _, err := conn.Exec(s, nil); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}
	return sql.OpenDB(c)
}
