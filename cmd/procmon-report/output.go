package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/index"
	"procmon/report"
	"procmon/report/render"
)

// output is where an answer goes, and how.
type output struct {
	io.Writer
	options render.Options
}

// answer opens the index and the output and lets f answer from one to the other.
// All of f's questions see the index at one moment.
func (w *world) answer(c *cli.Context, f func(context.Context, *sql.Tx, *index.Reader, *output) error) (err error) {
	options, err := w.options(c)
	if err != nil {
		return err
	}
	r, err := index.OpenReader(c.Context, c.String("index"))
	if err != nil {
		return hint(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	tx, err := r.DB().BeginTx(c.Context, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return w.deliver(c, options, func(out *output) error { return f(c.Context, tx, r, out) })
}

// deliver lets f write to where the flags say.
func (w *world) deliver(c *cli.Context, options render.Options, f func(*output) error) error {
	if path := c.String("output"); path != "-" {
		return toFile(path, func(file io.Writer) error { return f(&output{file, options}) })
	}
	return f(&output{w.out, options})
}

// hint adds how another index is named.
func hint(err error) error {
	if errors.Is(err, index.ErrNone) {
		return hinted{err, "; --index or PROCMON_INDEX_PATH name another one"}
	}
	return err
}

type hinted struct {
	error
	more string
}

func (h hinted) Error() string { return h.error.Error() + h.more }
func (h hinted) Unwrap() error { return h.error }

// toFile writes a file whole or not at all: an old one stays until the new
// one is complete. What is no regular file, such as a pipe, is written to.
func toFile(path string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o640) // who used what is not for everybody
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if st, err := os.Stat(path); err == nil {
		if !st.Mode().IsRegular() {
			return intoFile(path, write)
		}
		mode = st.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".procmon-report-*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

func intoFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// options are how the flags want it shown.
func (w *world) options(c *cli.Context) (render.Options, error) {
	format := strings.ToLower(c.String("format"))
	if !slices.Contains(render.Formats, format) {
		return render.Options{}, &report.UnknownError{
			What: "format", Name: format, Known: render.Formats, Near: report.Nearest(format, render.Formats),
		}
	}
	o := render.Options{Format: render.Format(format), Location: w.zoneOf(c), Made: w.now}
	if c.String("output") == "-" {
		o.Width = w.terminal
		o.Color = w.terminal > 0 && w.getenv("NO_COLOR") == "" && w.getenv("TERM") != "dumb"
	}
	return o, nil
}

func (w *world) zoneOf(c *cli.Context) *time.Location {
	if c.Bool("utc") {
		return time.UTC
	}
	return w.zone
}
