package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/index"
	"procmon/jsonlines"
)

const importDescription = `Reads the JSON lines that procmond writes (schema ecs), with or without a syslog header
and cookie before each, into one index, which is made where there is none: the central
one of a cluster, from the logs that rsyslog gathers, or a node's own after it was lost.
"-" is standard input, and what gzip has compressed is taken as it is.

Files, hosts and lines may come in any order. A run is known by its host, its pid and
the µs of its start: importing again, or lines of runs that the index has already,
changes nothing. It works while procmond writes, and takes the right to write the index.

Lines that cannot be read, and those that the index refuses, are counted, the first ten
told, and all kept in FILE.bad with number and reason; the bad lines of standard input
with --bad only. When they are mended, FILE.bad can be imported itself.

EXAMPLES:
   procmon-report import --index /var/lib/procmon/cluster.db --keep-runs 90d /var/log/procmon-cluster
   zstdcat old.log.zst | procmon-report import --index cluster.db --bad old.bad -

EXIT STATUS:
   0  done, some bad lines or not
   1  failed; with --strict, at the first bad line; also when no line could be read
   2  wrong use    3  no permission to write the index, or it is not one of this version`

func importFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bad", Category: "how to read", Usage: "keep bad lines in `FILE` (default: beside each file, with .bad behind its name)"},
		&cli.BoolFlag{Name: "strict", Category: "how to read", Usage: "stop at the first bad line", DisableDefaultText: true},
		&cli.StringFlag{Name: "keep-runs", Category: "index and output", Usage: "then forget single runs that began longer ago than this `DURATION`: 90d"},
		&cli.StringFlag{Name: "keep-usage", Category: "index and output", Usage: "then forget usage, and all that hangs on it, of longer ago than this `DURATION`: 1825d"},
		&cli.StringFlag{Name: "index", Category: "index and output", Usage: "write to the index at `PATH`",
			EnvVars: []string{"PROCMON_INDEX_PATH"}, Value: defaultIndex},
	}
}

// A transaction of gatherBatch lines takes some ms, for which a daemon waits.
// One of long lines ends earlier, so that memory is bounded.
const (
	gatherBatch = 500
	gatherBytes = 4 << 20
)

// indexGroup may read an index that is made here, as procmond's may be.
const indexGroup = "procmon"

// crowded is how long another writer is taken to be there after it wrote.
const crowded = 30 * time.Second

// gathering is one call of import.
type gathering struct {
	w        *world
	to       *index.Importer
	bad      *badLines
	strict   bool
	progress *progress
	others   time.Time // until when somebody else is taken to write too

	lines, badLines, refused, told int
	cut                            bool // the last line of a file is not whole
	done                           index.Gathered
}

func (w *world) importLines(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("import needs files of JSON lines, or - for standard input: procmon-report import /var/log/procmon")
	}
	keep := index.Options{Path: c.String("index"), Group: indexGroup, Host: "none", Now: func() time.Time { return w.now }}
	for flag, to := range map[string]*time.Duration{"keep-runs": &keep.KeepRuns, "keep-usage": &keep.KeepUsage} {
		if !c.IsSet(flag) {
			continue
		}
		var err error
		if *to, _, err = duration(c.String(flag)); err != nil {
			return usagef("--%s: %w", flag, err)
		}
	}
	if err := w.gather(c); err != nil || keep.KeepRuns == 0 && keep.KeepUsage == 0 {
		return err
	}
	writer, err := index.Open(c.Context, keep) // which refuses where a procmond prunes as it was told
	if err != nil {
		return hint(err)
	}
	return errors.Join(writer.Prune(c.Context), writer.Close())
}

// gather imports all files.
func (w *world) gather(c *cli.Context) (err error) {
	to, err := openToGather(c.Context, c.String("index"))
	if err != nil {
		return hint(err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	g := &gathering{w: w, to: to, strict: c.Bool("strict"), progress: newProgress(w), bad: &badLines{path: c.String("bad")}}
	for _, name := range c.Args().Slice() {
		if slices.Contains(g.bad.kept, name) {
			continue // of a pattern that names it too
		}
		if err = g.file(c.Context, name); err != nil {
			break // what was stored stays
		}
	}
	g.closeBad()
	if err := errors.Join(err, g.summary()); err != nil {
		return err
	}
	switch {
	case g.lines > 0 && g.lines == g.badLines+g.refused:
		return errors.New("no line could be read")
	case g.lines == 0:
		_, err = fmt.Fprintln(w.out, "No lines: nothing to import.")
	}
	return err
}

// openToGather opens an index, made or brought up to date before where needed.
func openToGather(ctx context.Context, path string) (*index.Importer, error) {
	to, err := index.OpenImporter(ctx, path)
	if !errors.Is(err, index.ErrNone) && !errors.Is(err, index.ErrOlder) {
		return to, err
	}
	if err := index.Create(ctx, path, indexGroup); err != nil {
		return nil, err
	}
	return index.OpenImporter(ctx, path)
}

// file imports one file.
func (g *gathering) file(ctx context.Context, name string) error {
	g.bad.begin(name)
	err := g.w.open(ctx, name, g.progress, func(in io.Reader) error { return g.read(ctx, name, in) })
	g.progress.clear()
	if g.cut {
		fmt.Fprintf(g.w.err, "procmon-report: %s: its last line is not whole: import it again when it is\n", oneLine(name))
		g.cut = false
	}
	if g.bad.path == "" {
		g.closeBad()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, nameless(err))
	}
	return nil
}

func (g *gathering) closeBad() {
	if err := g.bad.close(); err != nil {
		fmt.Fprintf(g.w.err, "procmon-report: bad lines are not kept: %s: --bad FILE names another file\n", oneLine(err.Error()))
	}
}

// read imports all that a file holds. Lines are taken apart while others are stored.
func (g *gathering) read(ctx context.Context, name string, in io.Reader) error {
	parsing, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan *batch, 1)
	go parse(parsing, jsonlines.NewReader(in), g.strict, batches)
	var failed error
	for b := range batches { // until parse has ended
		if failed == nil {
			if failed = g.batch(ctx, name, b); failed != nil {
				stop()
			}
		}
	}
	switch {
	case failed == nil:
		return ctx.Err()
	case errors.Is(failed, io.EOF):
		return nil
	}
	return failed
}

// batch stores what was read, and tells what could not be. It gives why there
// is nothing more to read.
func (g *gathering) batch(ctx context.Context, name string, b *batch) error {
	began := time.Now()
	done, err := g.to.Gather(ctx, b.records)
	if err != nil {
		return err
	}
	g.lines += len(b.records) + len(b.bad)
	g.badLines += len(b.bad)
	g.refused += len(done.Refused)
	g.add(&done)
	b.refuse(done.Refused)
	for i := range b.bad {
		g.reject(name, &b.bad[i])
		if g.strict {
			return &b.bad[i]
		}
	}
	if b.err != nil {
		return b.err
	}
	return g.yield(ctx, began)
}

// yield lets another writer write: for as long as the transaction took when
// there is one, else for long enough to find out.
func (g *gathering) yield(ctx context.Context, began time.Time) error {
	now := time.Now()
	if g.to.OthersWrote() {
		g.others = now.Add(crowded)
	}
	took := now.Sub(began)
	if now.After(g.others) {
		took /= 20
	}
	return pause(ctx, took)
}

func (g *gathering) add(d *index.Gathered) {
	g.done.Added += d.Added
	g.done.Updated += d.Updated
	g.done.Same += d.Same
	g.done.Older += d.Older
	g.done.Losses += d.Losses
	g.done.Jobs += d.Jobs
}

// reject keeps a bad line aside, and tells the first ones.
func (g *gathering) reject(name string, bad *jsonlines.LineError) {
	if errors.Is(bad, jsonlines.ErrCut) {
		g.cut = true
	}
	g.bad.add(name, bad)
	if g.strict {
		return // the last error tells it
	}
	if g.told++; g.told <= mostTold {
		g.progress.clear()
		fmt.Fprintf(g.w.err, "procmon-report: %s: %.300s\n", oneLine(name), oneLine(bad.Error()))
	}
}

// summary says what was done.
func (g *gathering) summary() error {
	if more := g.told - mostTold; more > 0 {
		fmt.Fprintf(g.w.err, "procmon-report: and %d more like these\n", more)
	}
	if g.lines == 0 {
		return nil
	}
	parts := []string{fmt.Sprintf("%s: %s new, %d updated, %d known already", plural(g.lines, "line"), plural(g.done.Added, "run"), g.done.Updated, g.done.Same)}
	for _, p := range []struct {
		n    int
		what string
	}{
		{g.done.Jobs, "of jobs"},
		{g.done.Losses, "of losses new"},
		{g.done.Older, "of runs older than what single runs are kept of left out"},
		{g.badLines, "bad"},
		{g.refused, "refused"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	kept := ""
	if len(g.bad.kept) > 0 {
		kept = ", kept in " + oneLine(strings.Join(g.bad.kept, ", "))
	}
	_, err := fmt.Fprintln(g.w.out, strings.Join(parts, "; ")+kept+".")
	return err
}
