package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
)

// Several reads several indexes as one: those of the nodes of a cluster,
// gathered in one place. A question is put to one after the other, so that it takes neither
// more files at once nor more memory than one. It is used by one goroutine.
//
// A file that cannot be read is left out, and Left tells it; so is one that turns
// out to be damaged later, or goes away.
type Several struct {
	db    *sql.DB
	conn  *sql.Conn
	files []file
	// Left says which files were left out, and why.
	Left []error
	// Progress is told how many files of how many have been asked, if it is not nil.
	Progress func(done, of int)
}

type file struct {
	path string
	info Info
}

// Gathering is a question to each index, and the name of the temporary table
// for all answers.
type Gathering struct {
	Table string
	SQL   string // a SELECT over the views
	Args  []any
}

// OpenSeveral opens indexes for reading. The error is that of the first if none can be read.
func OpenSeveral(ctx context.Context, paths []string) (*Several, error) {
	s := new(Several)
	for _, path := range paths {
		info, err := infoOf(ctx, path)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			s.Left = append(s.Left, err)
			continue
		}
		s.files = append(s.files, file{path, info})
	}
	if len(s.files) == 0 {
		return nil, s.none()
	}
	// What is gathered lies in a temporary file that SQLite deletes.
	s.db = openDB("file::memory:?_busy_timeout=5000", false)
	var err error
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if _, err := s.conn.ExecContext(ctx, "PRAGMA temp_store = file; PRAGMA temp.cache_size = -16000"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func infoOf(ctx context.Context, path string) (Info, error) {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return Info{}, err
	}
	info, err := r.Info(ctx)
	return info, errors.Join(err, r.Close())
}

// Close ends reading.
func (s *Several) Close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// QueryContext asks what was gathered last.
func (s *Several) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.conn.QueryContext(ctx, query, args...)
}

// Gather puts questions to each index. The tables of an earlier Gather are gone
// then. All questions see an index at one moment, but each index at its own.
func (s *Several) Gather(ctx context.Context, questions []Gathering) error {
	if err := s.forget(ctx); err != nil {
		return err
	}
	made := false
	for i := 0; i < len(s.files); i++ {
		if s.Progress != nil {
			s.Progress(i, len(s.files))
		}
		err := s.ask(ctx, s.files[i].path, questions, made)
		switch {
		case err == nil:
			made = true
		case ctx.Err() != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNone) && !errors.Is(err, fs.ErrPermission):
			return err
		default:
			s.Left = append(s.Left, err)
			s.files = slices.Delete(s.files, i, i+1)
			i--
		}
	}
	if !made {
		return s.none()
	}
	return nil
}

// none is the error of having nothing left.
func (s *Several) none() error {
	if len(s.Left) == 1 {
		return s.Left[0]
	}
	return fmt.Errorf("%w; and %d more that cannot be read", s.Left[0], len(s.Left)-1)
}

// forget drops the tables of an earlier Gather.
func (s *Several) forget(ctx context.Context) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT name FROM temp.sqlite_schema WHERE type = 'table'")
	if err != nil {
		return err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return errors.Join(err, rows.Close())
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := s.conn.ExecContext(ctx, `DROP TABLE temp."`+name+`"`); err != nil {
			return err
		}
	}
	return nil
}

// ask puts the questions to one index: all of its answers are taken or none.
func (s *Several) ask(ctx context.Context, path string, questions []Gathering, made bool) (err error) {
	if err := readable(path); err != nil {
		return err
	}
	uri, err := fileURI(path, url.Values{"mode": {"ro"}})
	if err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "ATTACH ? AS one", uri); err != nil {
		return explain(path, err)
	}
	defer func() {
		// Also when ctx is done: the next file takes the name.
		_, detach := s.conn.ExecContext(context.WithoutCancel(ctx), "DETACH one")
		err = errors.Join(err, detach)
	}()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, q := range questions {
		into := `INSERT INTO temp."` + q.Table + `" `
		if !made {
			into = `CREATE TEMP TABLE "` + q.Table + `" AS `
		}
		if _, err := tx.ExecContext(ctx, into+q.SQL, q.Args...); err != nil {
			return errors.Join(explain(path, fmt.Errorf("%s: %w", q.Table, err)), tx.Rollback())
		}
	}
	return tx.Commit()
}

// Info tells what the indexes hold together. Path names the first, and says how many more there are.
func (s *Several) Info(context.Context) (Info, error) {
	all := s.files[0].info
	if n := len(s.files) - 1; n > 0 {
		all.Path = fmt.Sprintf("%s and %d more", all.Path, n)
	}
	for _, f := range s.files[1:] {
		i := &f.info
		all.Runs += i.Runs
		if all.First.IsZero() || i.First.Before(all.First) && !i.First.IsZero() {
			all.First = i.First
		}
		if i.Last.After(all.Last) {
			all.Last = i.Last
		}
		// What one of them has lost all of them have lost.
		if i.RunsFrom.After(all.RunsFrom) {
			all.RunsFrom = i.RunsFrom
		}
		if i.UsageFrom.After(all.UsageFrom) {
			all.UsageFrom = i.UsageFrom
		}
		all.Hosts = append(slices.Clip(all.Hosts), i.Hosts...)
	}
	slices.SortStableFunc(all.Hosts, func(a, b HostInfo) int {
		if a.Name != b.Name {
			return map[bool]int{true: -1, false: 1}[a.Name < b.Name]
		}
		return b.Seen.Compare(a.Seen)
	})
	all.Hosts = slices.CompactFunc(all.Hosts, func(a, b HostInfo) bool { return a.Name == b.Name })
	return all, nil
}
