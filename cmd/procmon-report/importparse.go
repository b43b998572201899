package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"procmon"
	"procmon/index"
	"procmon/jsonlines"
)

// batch is what one transaction takes, and what stood between.
type batch struct {
	records []procmon.Record
	from    []source // of each record
	bad     []jsonlines.LineError
	err     error // why there is nothing more; io.EOF at the end
}

// source is the line that a record was read from.
type source struct {
	line int
	text []byte
}

// refuse puts the lines of records that the index refused among the bad ones.
func (b *batch) refuse(refused []*index.RefusedError) {
	for _, r := range refused {
		from := b.from[r.Index]
		b.bad = append(b.bad, jsonlines.LineError{Line: from.line, Text: from.text, Err: r})
	}
	slices.SortFunc(b.bad, func(a, b jsonlines.LineError) int { return cmp.Compare(a.Line, b.Line) })
}

// parse takes lines apart into batches until an error, which strictly is the
// first bad line, and closes the channel.
func parse(ctx context.Context, r *jsonlines.Reader, strict bool, to chan<- *batch) {
	defer close(to)
	for failed := false; !failed; {
		b := &batch{}
		for size := 0; len(b.from)+len(b.bad) < gatherBatch && size < gatherBytes && b.err == nil; size += len(r.Text()) {
			record, err := r.Next()
			var bad *jsonlines.LineError
			switch {
			case err == nil:
				b.records, b.from = append(b.records, record), append(b.from, source{r.Line(), bytes.Clone(r.Text())})
			case errors.As(err, &bad):
				bad.Text = bytes.Clone(bad.Text)
				b.bad = append(b.bad, *bad)
				if strict {
					b.err = bad
				}
			default:
				b.err = err
			}
		}
		failed = b.err != nil
		select {
		case to <- b:
		case <-ctx.Done():
			return
		}
	}
}

// badLines are kept in a file: a comment with number and reason before each
// line. It comes to be with the first one, whole or not at all.
type badLines struct {
	path string // of all; empty: beside each file
	to   string // of the file being read, empty: nowhere
	f    *os.File
	err  error    // why they are not kept
	kept []string // files that came to be
}

// begin goes on to another file.
func (b *badLines) begin(name string) {
	b.to = b.path
	if b.to == "" && name != "-" {
		b.to = name + ".bad"
	}
}

func (b *badLines) add(name string, bad *jsonlines.LineError) {
	if b.to == "" || b.err != nil || bad.Text == nil || errors.Is(bad, jsonlines.ErrCut) {
		return
	}
	if b.f == nil {
		// Not by its name: what lies there now may be somebody's link.
		if b.f, b.err = os.CreateTemp(filepath.Dir(b.to), ".procmon-report-*"); b.err != nil {
			return
		}
	}
	_, b.err = fmt.Fprintf(b.f, "# %s: %s\n%s\n", oneLine(name), oneLine(bad.Error()), bad.Text)
}

// close puts the file in its place, or says why not.
func (b *badLines) close() error {
	err := b.err
	b.err = nil
	if b.f == nil {
		return err
	}
	f := b.f
	b.f = nil
	if err = errors.Join(err, f.Chmod(0o640), f.Close()); err == nil {
		err = os.Rename(f.Name(), b.to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	b.kept = append(b.kept, b.to)
	return nil
}
