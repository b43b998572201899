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
	forgetAside(path, w.opts.Logger)
	return nil
}

// forgetAside deletes all but the newest files that were set aside.
func forgetAside(path string, log *slog.Logger) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	var times []string
	prefix := filepath.Base(path) + asideMark
	for _, e := range entries {
		if at, ok := strings.CutPrefix(e.Name(), prefix); ok && len(at) == len(asideTime) {
			times = append(times, at)
		}
	}
	slices.Sort(times)
	for _, at := range times[:max(0, len(times)-keptAside)] {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + asideMark + at + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				log.Warn("index: an old damaged file cannot be deleted", "error", err)
			}
		}
	}
}
