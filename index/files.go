package index

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// fileMode lets the group read what everybody on the node ran; nobody else.
const fileMode = 0o640

// prepareFile makes the file before SQLite does, which would give it a mode of
// its own.
func prepareFile(path string) error {
	// A file that is there is never opened here: see readable.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err == nil {
		err = f.Close()
	} else if st, e := os.Stat(path); e == nil {
		if !st.Mode().IsRegular() {
			return fmt.Errorf("index %s: %w: it is no regular file", path, ErrForeign)
		}
		err = mayWrite(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("index %s: %w: make the directory %s first", path, err, filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("index %s: %w: run as root, or set another index path", path, err)
	case err != nil:
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// protect gives the index and its side files their group and mode; side files
// made later take both from the index. Somebody who is not root keeps his own
// group.
func protect(path, group string, log *slog.Logger) error {
	gid := -1
	if group != "" && os.Geteuid() == 0 {
		g, err := user.LookupGroup(group)
		if err == nil {
			gid, err = strconv.Atoi(g.Gid)
		}
		if err != nil {
			log.Warn("index: its group is not known here, only root can read it", "group", group, "error", err)
			gid = 0
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		name := path + suffix
		if gid >= 0 {
			if err := os.Chown(name, 0, gid); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("index: %w", err)
			}
		}
		if err := os.Chmod(name, fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("index: %w", err)
		}
	}
	return nil
}
