package appmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// errNotPlain says that a path is no regular file, or too large to be what
// it claims to be.
var errNotPlain = errors.New("not a regular file of a sane size")

// files reads below one root directory. A path is taken apart by the kernel,
// so that a symbolic link can't lead out of the root, nor out of the
// directory that a look-up is confined to.
type files struct {
	root string
	beneath

	mounts  *mounts // nil: everything is local
	pace    *pace   // of opens on other machines' filesystems; nil: unbounded
	refused bool    // of a view: a file was not opened for its sake
}

// view is the files of one look-up, which notes what was refused to it.
func (f *files) view() *files {
	v := *f
	v.refused = false
	return &v
}

// errPace says that other machines were asked often enough.
var errPace = errors.New("too many files of network filesystems asked for")

// allowed says whether a file below dir may be opened now.
func (f *files) allowed(dir string) bool {
	if f.pace == nil || !f.mounts.remote(dir) || f.pace.take() {
		return true
	}
	f.refused = true
	return false
}

// beneath opens files of a tree. The two ways of doing it are openat2(2) and
// os.Root; the latter refuses absolute symbolic links, which is safe and
// finds less.
type beneath interface {
	// open gives the regular file dir/name, of at most limit bytes, without
	// waiting for FIFOs or devices. No link in name leads out of dir.
	open(dir, name string, limit int64) (*os.File, error)
	// openDir gives a directory to list.
	openDir(dir string) (*os.File, error)
	// stat tells what dir/name is and opens nothing. name may be ".".
	stat(dir, name string) (os.FileInfo, error)
	close() error
}

// read gives the whole of dir/name, at most limit bytes of it.
func (f *files) read(dir, name string, limit int64) ([]byte, error) {
	if !cleanPath(dir) || name == "" || strings.HasPrefix(name, "/") {
		return nil, fmt.Errorf("%w: %s/%s", errNotPlain, dir, name)
	}
	if !f.allowed(dir) {
		return nil, fmt.Errorf("%w: %s/%s", errPace, dir, name)
	}
	file, err := f.open(dir, name, limit)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var data bytes.Buffer
	if info, err := file.Stat(); err == nil && info.Size() <= limit {
		data.Grow(int(info.Size()) + bytes.MinRead)
	}
	if _, err := data.ReadFrom(io.LimitReader(file, limit+1)); err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", dir, name, err)
	}
	if int64(data.Len()) > limit {
		return nil, fmt.Errorf("%w: %s/%s", errNotPlain, dir, name)
	}
	return data.Bytes(), nil
}

// list gives at most limit names of a directory, in no order. Directories of
// network filesystems are never listed: that costs the server more than an
// open does.
func (f *files) list(dir string, limit int) []string {
	if !cleanPath(dir) || f.mounts.remote(dir) {
		return nil
	}
	d, err := f.openDir(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(limit) // what could be read is better than nothing
	return names
}

// cleanPath says whether p is absolute and free of "..", "//" and NUL.
func cleanPath(p string) bool {
	return strings.HasPrefix(p, "/") && path.Clean(p) == p && !strings.ContainsRune(p, 0) && len(p) < 4096
}

// rootFiles reads through os.Root.
type rootFiles struct{ root *os.Root }

func (r rootFiles) open(dir, name string, limit int64) (*os.File, error) {
	sub, err := r.root.OpenRoot(relative(dir))
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	file, err := sub.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		err = fmt.Errorf("%w: %s/%s", errNotPlain, dir, name)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (r rootFiles) openDir(dir string) (*os.File, error) {
	return r.root.OpenFile(relative(dir), os.O_RDONLY|nonblock, 0)
}

func (r rootFiles) stat(dir, name string) (os.FileInfo, error) {
	return r.root.Stat(relative(path.Join(dir, name)))
}

func (r rootFiles) close() error { return r.root.Close() }

func relative(dir string) string {
	if dir = strings.Trim(dir, "/"); dir != "" {
		return dir
	}
	return "."
}
