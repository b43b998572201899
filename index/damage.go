package index

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// checkTime bounds how long a file is looked through before it is written:
	// meanwhile the sources' buffers fill.
	checkTime = 2 * time.Second
	// keptAside is how many damaged files stay beside the index.
	keptAside = 2

	asideMark = ".damaged-"
	asideTime = "20060102T150405.000Z" // sorts by time
)

// sound looks for damage, as far as it gets in checkTime.
func sound(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var found string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		log.Info("index: it is too large to be checked whole at the start; damage shows when it is met", "checked_seconds", checkTime.Seconds())
		return nil
	case err != nil:
		return err
	case found != "ok":
		return fmt.Errorf("%w: %s", ErrDamaged, strings.ReplaceAll(found, "\n", " "))
	}
	return nil
}

// ours says whether a damaged file was an index: a daemon has held its lock
// before, or its header says so. Other files are not to be moved.
func ours(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	header := make([]byte, 72)
	if _, err := io.ReadFull(f, header); err != nil {
		return false
	}
	// https://www.sqlite.org/fileformat2.html#the_database_header
	return bytes.HasPrefix(header, []byte("SQLite format 3\x00")) && binary.BigEndian.Uint32(header[68:]) == applicationID
}

// setAside renames a damaged index, with its log, and makes room for a new one.
func (w *Writer) setAside(damage error) error {
	path := w.opts.Path
	if !w.known && !ours(path) {
		return fmt.Errorf("%w: nothing says that it ever was an index: move it away, or choose another path", damage)
	}
	aside := path + asideMark + w.opts.Now().UTC().Format(asideTime)
	// First the file: SQLite deletes a log that it finds beside an empty one.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w; it cannot be set aside: %w", damage, err)
		}
	}
	w.opts.Logger.Error("index: it is damaged and was set aside, a new one is begun: what was in it is missing from reports "+
		"until \"procmon-report import\" brings back what the JSON lines still have", "set_aside", aside, "error", damage)
	w.forgetAside(math.MaxInt64) // Prune sees to its room
	return nil
}

// asideFile is a damaged index that was set aside, with its log.
type asideFile struct {
	path  string
	bytes int64
}

// filesOf are a file of SQLite and those that it keeps beside it.
func filesOf(path string) []string { return []string{path, path + "-wal", path + "-shm"} }

// asideFiles lists what was set aside, the newest first.
func asideFiles(path string) []asideFile {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var all []asideFile
	prefix := filepath.Base(path) + asideMark
	for _, e := range slices.Backward(entries) { // sorted by name, that is by time
		if at, ok := strings.CutPrefix(e.Name(), prefix); !ok || len(at) != len(asideTime) {
			continue
		}
		a := asideFile{path: filepath.Join(filepath.Dir(path), e.Name())}
		for _, name := range filesOf(a.path) {
			if st, err := os.Lstat(name); err == nil {
				a.bytes += st.Size()
			}
		}
		all = append(all, a)
	}
	return all
}

// forgetAside deletes all but the newest files that were set aside: keptAside
// of them, which together are no larger than room.
func (w *Writer) forgetAside(room int64) {
	all := asideFiles(w.opts.Path)
	kept := 0
	for kept < min(len(all), keptAside) && all[kept].bytes <= room {
		room -= all[kept].bytes
		kept++
	}
	for _, a := range all[kept:] {
		why := "only the newest stay"
		if kept < keptAside {
			why = "index.max_bytes has no room for it beside the index"
		}
		var errs []error
		for _, name := range slices.Backward(filesOf(a.path)) { // the file last: it is what is found again
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		if err := errors.Join(errs...); err != nil {
			w.opts.Logger.Warn("index: an old damaged file cannot be deleted: delete it by hand", "set_aside", a.path, "error", err)
			continue
		}
		w.opts.Logger.Warn("index: a damaged file that was set aside is deleted", "set_aside", a.path, "bytes", a.bytes, "reason", why)
	}
}
