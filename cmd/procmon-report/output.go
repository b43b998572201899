package main

import (
	"context"
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

// answer opens the index and the output and lets f answer from one to the other.
// The error says so if the answer is of some of the indexes only.
func (w *world) answer(c *cli.Context, f func(context.Context, *holdings, *output) error) (err error) {
	options, err := w.options(c)
	if err != nil {
		return err
	}
	paths, err := indexes(valuesOf(c, "index"), w.getenv)
	if err != nil {
		return err
	}
	p := newProgress(w)
	defer p.clear()
	p.wait("asking the index")
	s, err := openIndexes(c.Context, paths)
	if err != nil {
		return hint(err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.several != nil {
		s.several.Progress = p.files
	}
	err = w.deliver(c, options, p, func(out *output) error { return f(c.Context, s, out) })
	p.clear()
	for _, left := range s.left() {
		fmt.Fprintf(w.err, "procmon-report: left out: %s\n", oneLine(left.Error()))
	}
	for _, partly := range s.partly() {
		if err == nil || enough(err) {
			err = errors.New(strings.TrimSuffix(partly, "."))
		}
	}
	return err
}

// deliver lets f write to where the flags say.
func (w *world) deliver(c *cli.Context, options render.Options, p *progress, f func(*output) error) error {
	if path := c.String("output"); path != "-" {
		return toFile(path, func(file io.Writer) error { return f(&output{file, options}) })
	}
	return f(&output{p.before(w.out), options})
}

// indexNames are files and directories that --index names, or else the environment.
func indexNames(flags []string, getenv func(string) string) []string {
	if len(flags) > 0 {
		return flags
	}
	if path := getenv("PROCMON_INDEX_PATH"); path != "" {
		return []string{path}
	}
	return []string{defaultIndex}
}

// indexes are the files that are named: a directory stands for all *.db in it.
func indexes(flags []string, getenv func(string) string) ([]string, error) {
	var paths []string
	for _, name := range indexNames(flags, getenv) {
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
	var made *fs.PathError
	if errors.As(err, &made) { // which names a file that nobody knows
		return fmt.Errorf("--output %s: %w", path, made.Err)
	}
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
	return errors.Join(write(outlet{f}), f.Close())
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
