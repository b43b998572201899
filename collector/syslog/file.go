package syslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// file appends lines to a file, which may be renamed under it.
type file struct {
	path string
	f    *os.File
	buf  []byte
}

// openFile opens the file for appending, making it if it is not there. A half
// line that a crash left at its end is ended, so that the next is not glued to
// it.
func openFile(path string) (*file, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() && st.Mode()&os.ModeCharDevice == 0 {
		return nil, fmt.Errorf("%s is no regular file", path) // opening a FIFO would wait for its reader
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	t := &file{path: path, f: f}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && st.Size() > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], st.Size()-1); err == nil && last[0] != '\n' {
			if _, err := f.Write([]byte{'\n'}); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
	}
	return t, nil
}

func (t *file) send(_ context.Context, lines [][]byte) (int, error) {
	size, err := t.follow()
	if err != nil {
		return 0, err
	}
	t.buf = t.buf[:0]
	for _, l := range lines {
		t.buf = append(append(t.buf, l...), '\n')
	}
	n, err := t.f.Write(t.buf)
	if err == nil {
		return len(lines), nil
	}
	whole := bytes.Count(t.buf[:n], []byte{'\n'})
	half := n - (bytes.LastIndexByte(t.buf[:n], '\n') + 1)
	return whole, errors.Join(err, t.takeBack(size+int64(n), half))
}

// takeBack removes the last half bytes of a file of size bytes, the beginning
// of a line that did not fit. Should somebody else have written behind them,
// they stay, as a line of their own.
func (t *file) takeBack(size int64, half int) error {
	if half == 0 {
		return nil
	}
	if end, err := t.f.Seek(0, io.SeekEnd); err != nil || end != size {
		_, err = t.f.Write([]byte{'\n'})
		return err
	}
	return t.f.Truncate(size - int64(half))
}

// follow opens the path again when another file, or none, has its name, and
// gives the size of the file.
func (t *file) follow() (size int64, err error) {
	open, err := t.f.Stat()
	if err != nil {
		return 0, err
	}
	if named, err := os.Stat(t.path); err == nil && os.SameFile(open, named) {
		return open.Size(), nil
	}
	if err := t.reopen(); err != nil {
		return 0, err
	}
	if open, err = t.f.Stat(); err != nil {
		return 0, err
	}
	return open.Size(), nil
}

func (t *file) reopen() error {
	next, err := openFile(t.path)
	if err != nil {
		return err
	}
	err = t.f.Close()
	t.f = next.f
	return err
}

// usable: opening the file anew is the best answer to whatever went wrong.
func (t *file) usable(error) bool     { return false }
func (t *file) gone() <-chan struct{} { return nil }
func (t *file) close() error          { return t.f.Close() }
