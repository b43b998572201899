package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
)

// open hands on what a file holds, or as "-" standard input, compressed by gzip
// or not, and shows how far it is read.
func (w *world) open(name string, p *progress, read func(io.Reader) error) error {
	in, size := w.in, int64(0)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			size = st.Size()
		}
		in = f
	}
	p.begin(name, size)
	raw := bufio.NewReader(io.TeeReader(in, p))
	if magic, err := raw.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return err
		}
		return read(z)
	}
	return read(raw)
}

// nameless is an error of a file without the file's name.
func nameless(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
