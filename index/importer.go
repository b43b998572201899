package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"

	"procmon"
)

// Importer adds what a scheduler's accounting says of jobs, and what JSON lines
// tell, to an index that is there, also while its Writer writes. It neither makes
// nor migrates one: see Create.
type Importer struct{ w *Writer }

// Imported says what became of jobs given to Import.
type Imported struct {
	Added   int             // nothing was known of their allocation
	Updated int             // more, or something else, is known now
	Same    int             // nothing new
	Older   int             // of a life of a job before the one that is known, and which one is not told
	Refused []*RefusedError // nothing of them was stored
}

// RefusedError is why a job was not stored.
type RefusedError struct {
	Index int // in the list given to Import
	Why   string
}

func (e *RefusedError) Error() string { return e.Why }

// OpenImporter opens the index at path. Beside the package's errors it gives
// fs.ErrPermission when the user may not write it.
func OpenImporter(ctx context.Context, path string) (*Importer, error) {
	if err := readable(path); err != nil {
		return nil, err
	}
	if err := mayWrite(path); err != nil {
		return nil, fmt.Errorf("index %s: %w: run as root", path, fs.ErrPermission)
	}
	// It waits for the daemon's transactions, which are short, longer than the
	// daemon waits for its.
	w, err := openBeside(ctx, path, url.Values{"mode": {"rw"}, "_synchronous": {"NORMAL"}, "_busy_timeout": {"20000"}, "_cache_size": {"-16000"}})
	if err != nil {
		return nil, err
	}
	return &Importer{w}, nil
}

// openBeside opens an index that another one keeps.
func openBeside(ctx context.Context, path string, options url.Values) (*Writer, error) {
	dsn, err := fileURI(path, options)
	if err != nil {
		return nil, err
	}
	w := &Writer{opts: Options{Path: path, Logger: slog.New(slog.DiscardHandler)}, lock: noLock{}}
	w.use(dsn)
	w.cache.live = make(map[liveKey]liveState) // it has no runs to go on with
	if err := w.join(ctx); err != nil {
		return nil, errors.Join(explainReading(path, err), w.release())
	}
	return w, nil
}

// noLock is held by who writes beside the one Writer.
type noLock struct{}

func (noLock) Close() error { return nil }

// join takes the connection to an index that another one keeps.
func (w *Writer) join(ctx context.Context) error {
	state, err := readState(ctx, w.db)
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := state.checkForReader(len(steps)); err != nil {
		return err
	}
	w.conn, err = w.db.Conn(ctx)
	return err
}

// Import stores jobs in one transaction: some hundred at a time let the Writer
// write between. An error means that nothing was stored, and that it can be tried again.
func (i *Importer) Import(ctx context.Context, jobs []procmon.Accounted) (Imported, error) {
	var done Imported
	err := i.w.do(ctx, func(t *txn) error {
		done = Imported{}
		for n := range jobs {
			var refused *refusal
			outcome, err := t.account(&jobs[n])
			switch {
			case errors.As(err, &refused):
				done.Refused = append(done.Refused, &RefusedError{n, refused.why})
			case err != nil:
				return err
			case outcome == added:
				done.Added++
			case outcome == updated:
				done.Updated++
			case outcome == older:
				done.Older++
			default:
				done.Same++
			}
		}
		return t.flush()
	})
	if err != nil {
		return Imported{}, err
	}
	return done, nil
}

// OthersWrote says whether another process has written since it was last asked.
func (i *Importer) OthersWrote() bool {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	wrote := i.w.others > 0
	i.w.others = 0
	return wrote
}

// Close ends the importer.
func (i *Importer) Close() error { return i.w.Close() }
