package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
)

// open hands on what a file holds, or as "-" standard input, compressed by gzip
// or not, and shows how far it is read.
func (w *world) open(ctx context.Context, name string, p *progress, read func(io.Reader) error) error {
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
	if size == 0 { // a pipe or a terminal may have nothing to read for long
		var stop func()
		in, stop = interruptible(ctx, in)
		defer stop()
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

// interruptible reads from in until ctx ends, also where a call of Read hangs:
// nothing can end that one, so it is left behind, for the process is about to end.
func interruptible(ctx context.Context, in io.Reader) (r io.Reader, stop func()) {
	out, to := io.Pipe()
	go func() {
		_, err := io.Copy(to, in)
		to.CloseWithError(err)
	}()
	forget := context.AfterFunc(ctx, func() { to.CloseWithError(ctx.Err()) })
	return out, func() {
		forget()
		out.Close()
	}
}

// nameless is an error of a file without the file's name.
func nameless(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
