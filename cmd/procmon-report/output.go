package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// holdings tell what an index has, or several have.
type holdings interface {
	Info(context.Context) (index.Info, error)
}

// answer opens the index and the output and lets f answer from one to the other.
// All of f's questions see the index at one moment. Of several indexes those that cannot be
// read are left out: the answer is of the others, and the error says so.
func (w *world) answer(c *cli.Context, f func(context.Context, report.Querier, holdings, *output) error) (err error) {
	options, err := w.options(c)
	if err != nil {
		return err
	}
	paths, err := indexes(valuesOf(c, "index"), w.getenv)
	if err != nil {
		return err
	}
	if len(paths) > 1 {
		return w.answerFromSeveral(c, paths, options, f)
	}
	r, err := index.OpenReader(c.Context, paths[0])
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

// answerFromSeveral is answer for several indexes.
func (w *world) answerFromSeveral(c *cli.Context, paths []string, options render.Options,
	f func(context.Context, report.Querier, holdings, *output) error) (err error) {
	s, err := index.OpenSeveral(c.Context, paths)
	if err != nil {
		return hint(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := newProgress(w)
	s.Progress = p.files
	err = w.deliver(c, options, func(out *output) error {
		err := f(c.Context, s, s, out)
		p.clear()
		return err
	})
	p.clear()
	for _, left := range s.Left {
		fmt.Fprintf(w.err, "procmon-report: left out: %s\n", oneLine(left.Error()))
	}
	if err == nil && len(s.Left) > 0 {
		err = fmt.Errorf("%d of %d indexes were left out: this is of the others only", len(s.Left), len(paths))
	}
	return err
}

// indexes are the files that --index names: a directory stands for all *.db in it.
func indexes(named []string, getenv func(string) string) ([]string, error) {
	if len(named) == 0 {
		named = []string{defaultIndex}
		if path := getenv("PROCMON_INDEX_PATH"); path != "" {
			named[0] = path
		}
	}
	var paths []string
	for _, name := range named {
		if st, err := os.Stat(name); err != nil || !st.IsDir() {
			paths = append(paths, name)
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		before := len(paths)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".db" && !e.IsDir() {
				paths = append(paths, filepath.Join(name, e.Name()))
			}
		}
		if len(paths) == before {
			return nil, fmt.Errorf("index %s: %w: the directory has no *.db", name, index.ErrNone)
		}
	}
	return once(paths), nil
}

// oneIndex is the index of a command that takes only one.
func (w *world) oneIndex(c *cli.Context) (string, error) {
	paths, err := indexes(valuesOf(c, "index"), w.getenv)
	if err == nil && len(paths) > 1 {
		return "", usagef("%s takes one --index", c.Command.Name)
	}
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// once leaves out what is named twice, by whatever name: its runs would count twice.
func once(paths []string) []string {
	var out []string
	var seen []os.FileInfo
	for _, path := range paths {
		st, err := os.Stat(path)
		if err == nil && slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, st) }) {
			continue
		}
		if err == nil {
			seen = append(seen, st)
		}
		out = append(out, path)
	}
	return out
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
