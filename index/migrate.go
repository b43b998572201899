package index

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// applicationID marks the file as ours in SQLite's header ("prmn"); file(1)
// and a slip of --index-path can tell it from other databases.
const applicationID = 0x70726d6e

// querier is what a connection, a transaction and a pool have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaState is what a file's header says.
type schemaState struct {
	application, version, tables int
}

func readState(ctx context.Context, q querier) (s schemaState, err error) {
	for _, v := range []struct {
		query string
		dst   *int
	}{
		{"PRAGMA application_id", &s.application},
		{"PRAGMA user_version", &s.version},
		{"SELECT count(*) FROM sqlite_master", &s.tables},
	} {
		if err := q.QueryRowContext(ctx, v.query).Scan(v.dst); err != nil {
			return s, err
		}
	}
	return s, nil
}

// check says whether this program can work with a file in state s. An empty
// file is fine.
func (s schemaState) check(newest int) error {
	switch {
	case s.tables == 0 && s.version == 0:
		return nil
	case s.application != applicationID:
		return fmt.Errorf("%w, but a SQLite file of another program: choose another path", ErrForeign)
	case s.version > newest:
		return fmt.Errorf("%w: its schema is %d, this program knows %d: install the newer procmon here, or choose another path",
			ErrNewer, s.version, newest)
	}
	return nil
}

// checkForReader is check for somebody who cannot migrate the file.
func (s schemaState) checkForReader(newest int) error {
	switch err := s.check(newest); {
	case err != nil:
		return err
	case s.version == 0:
		return fmt.Errorf("%w: the file is empty; procmond fills it at its first start", ErrNone)
	case s.version < newest:
		return fmt.Errorf("%w: its schema is %d, this program needs %d: start this version's procmond once, it migrates the file",
			ErrOlder, s.version, newest)
	}
	return nil
}

// inspect says whether the file can be ours and is sound, by a connection that sets nothing
// in it: another program's database is not to be changed.
func inspect(ctx context.Context, path string, log *slog.Logger) error {
	dsn, err := fileURI(path, url.Values{"mode": {"rw"}, "_busy_timeout": {"5000"}})
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	db := openDB(dsn, true)
	state, err := readState(ctx, db)
	if err == nil {
		err = state.check(len(steps))
	}
	if err == nil && state.tables > 0 {
		err = sound(ctx, db, log)
	}
	return errors.Join(err, db.Close())
}

// migrations lists the SQL of each version, 1 first. The last one makes the
// views.
func migrations() ([]string, error) {
	names, err := fs.Glob(schemaFiles, "schema/0*.sql") // sorted, and the names begin with the version
	if err != nil {
		return nil, err
	}
	views, err := schemaFiles.ReadFile("schema/views.sql")
	if err != nil {
		return nil, err
	}
	all := make([]string, 0, len(names))
	for _, name := range names {
		b, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, string(b))
	}
	all[len(all)-1] += string(views)
	return all, nil
}

// migrate brings the file up to the newest schema, a version a transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	state, err := readState(ctx, db)
	if err != nil {
		return err
	}
	for v := state.version; v < len(steps); v++ {
		if err := migrateOne(ctx, db, steps[v], v+1); err != nil {
			return fmt.Errorf("to schema %d: %w", v+1, err)
		}
	}
	return nil
}

func migrateOne(ctx context.Context, db *sql.DB, text string, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	text += fmt.Sprintf("\nPRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	if _, err := tx.ExecContext(ctx, text); err != nil {
		return err
	}
	return tx.Commit()
}
