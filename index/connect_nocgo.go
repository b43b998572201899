//go:build !cgo

package index

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

var errNoCgo = errors.New("built without cgo, which SQLite needs: build with CGO_ENABLED=1 and a C compiler")

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, errNoCgo }
func (connector) Driver() driver.Driver                        { return connector{} }
func (connector) Open(string) (driver.Conn, error)             { return nil, errNoCgo }

func openDB(string, bool) *sql.DB { return sql.OpenDB(connector{}) }

func explain(path string, err error) error { return fmt.Errorf("index %s: %w", path, err) }

func isTaken(error) bool { return false }
