package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon"
	"procmon/accounting"
	"procmon/index"
)

const importJobsDescription = `Reads what the scheduler's accounting says of jobs, of any of these forms:

   sacct -P        with its header; any columns, in any order
   jobcomp/filetxt the file of Slurm's plugin
   OpenPBS, Torque accounting files, server_priv/accounting/YYYYMMDD

"-" is standard input, and what gzip has compressed is taken as it is. Account,
partition, name, owner, state, exit code and allocation of the jobs are then known
by the best evidence there is, and runs that their owner only claimed to be of a
job are counted to it. Importing again changes nothing; a later file brings what went
on up to date. It works while procmond writes, and takes the right to write the index.

Ask sacct for these columns; SLURM_TIME_FORMAT=%s makes times that no zone and no
change of the clock can make ambiguous:

   SLURM_TIME_FORMAT=%s sacct -P -a -D -S now-2days -o JobIDRaw,JobID,Cluster,\
User,UID,Account,Partition,JobName,State,ExitCode,Submit,Start,End,ElapsedRaw,\
NNodes,AllocCPUS,AllocTRES,NodeList,TotalCPU | procmon-report import-jobs -

Add Restarts where sacct --helpformat has it. Users choose the names of their
jobs, with line breaks if they like: where you don't trust them, give sacct and this
command a --delimiter that nobody can guess.

Lines that cannot be read are counted, and the first ten told.

EXAMPLES:
   procmon-report import-jobs --utc sacct.txt
   procmon-report import-jobs --cluster c1 /var/spool/pbs/server_priv/accounting/202611*
   D=$(od -An -N8 -tx8 /dev/urandom | tr -d ' '); sacct -P --delimiter "$D" … | procmon-report import-jobs --delimiter "$D" -

EXIT STATUS:
   0  done, some bad lines or not
   1  failed; with --strict, at the first bad line; also when no line could be read
   2  wrong use    3  no index here, or no permission to write it`

func importJobsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "zone", Category: "how to read", Usage: "times without a zone are of this `ZONE`: Europe/Berlin (default: the local one)"},
		&cli.BoolFlag{Name: "utc", Category: "how to read", Usage: "times without a zone are UTC", DisableDefaultText: true},
		&cli.StringFlag{Name: "cluster", Category: "how to read", Usage: "jobs whose cluster the file does not tell are of this `CLUSTER`"},
		&cli.StringFlag{Name: "delimiter", Category: "how to read", Usage: "`TEXT` stands between the columns of sacct", Value: "|"},
		&cli.BoolFlag{Name: "strict", Category: "how to read", Usage: "stop at the first bad line", DisableDefaultText: true},
		&cli.StringFlag{Name: "index", Category: "index and output", Usage: "write to the index at `PATH`",
			EnvVars: []string{"PROCMON_INDEX_PATH"}, Value: defaultIndex},
	}
}

// importBatch is how many jobs one transaction takes: the daemon waits for it.
const importBatch = 300

// mostTold is how many bad lines are told.
const mostTold = 10

// importing is one call of import-jobs.
type importing struct {
	w        *world
	to       *index.Importer
	options  accounting.Options
	strict   bool
	progress *progress

	lines   accounting.Counts // of all files
	done    index.Imported
	refused int
	told    int
}

func (w *world) importJobs(c *cli.Context) (err error) {
	if !c.Args().Present() {
		return usagef("import-jobs needs files, or - for standard input: sacct -P … | procmon-report import-jobs -")
	}
	if c.IsSet("zone") && c.Bool("utc") {
		return usagef("--zone and --utc exclude each other")
	}
	if c.String("delimiter") == "" {
		return usagef("--delimiter is empty")
	}
	options := accounting.Options{Zone: w.zoneOf(c), Cluster: c.String("cluster"), Delimiter: c.String("delimiter")}
	if name := c.String("zone"); name != "" {
		if options.Zone, err = time.LoadLocation(name); err != nil {
			return usagef("--zone: %w", err)
		}
	}
	to, err := index.OpenImporter(c.Context, c.String("index"))
	if err != nil {
		return hint(err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	i := &importing{w: w, to: to, options: options, strict: c.Bool("strict"), progress: newProgress(w)}
	for _, name := range c.Args().Slice() {
		if err := i.open(c.Context, name); err != nil {
			i.progress.clear()
			return errors.Join(fmt.Errorf("%s: %w", name, nameless(err)), i.summary()) // what was stored stays
		}
	}
	i.progress.clear()
	if err := i.summary(); err != nil {
		return err
	}
	switch {
	case i.lines.Jobs == 0 && i.lines.Bad > 0:
		return errors.New("no line tells of a job that can be read")
	case i.lines.Lines == 0:
		_, err = fmt.Fprintln(w.out, "No lines: no job to import.")
	}
	return err
}

// open reads one file, compressed or not.
func (i *importing) open(ctx context.Context, name string) error {
	return i.w.open(ctx, name, i.progress, func(in io.Reader) error { return i.read(ctx, name, in) })
}

// read imports all of a file.
func (i *importing) read(ctx context.Context, name string, in io.Reader) error {
	r := accounting.NewReader(in, i.options)
	batch, lines := make([]procmon.Accounted, 0, importBatch), make([]int, 0, importBatch)
	var failed error
	for failed == nil {
		a, err := r.Next()
		var bad *accounting.LineError
		switch {
		case err == nil:
			batch, lines = append(batch, a), append(lines, r.Line())
		case errors.As(err, &bad) && i.strict, !errors.As(err, &bad):
			failed = err
		default:
			i.tell(name, bad.Error())
		}
		if len(batch) == importBatch || failed != nil && len(batch) > 0 {
			if err := i.store(ctx, name, batch, lines); err != nil {
				failed = err
			}
			batch, lines = batch[:0], lines[:0]
		}
	}
	n := r.Counts()
	i.lines.Lines += n.Lines
	i.lines.Jobs += n.Jobs
	i.lines.Steps += n.Steps
	i.lines.Other += n.Other
	i.lines.Bad += n.Bad
	if errors.Is(failed, io.EOF) {
		return nil
	}
	return failed
}

// store hands on a batch, which stands on some lines of a file.
func (i *importing) store(ctx context.Context, name string, batch []procmon.Accounted, lines []int) error {
	began := time.Now()
	done, err := i.to.Import(ctx, batch)
	if err != nil {
		return err
	}
	if len(batch) == importBatch { // more to come: the daemon has its turn
		if err := pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
	i.done.Added += done.Added
	i.done.Updated += done.Updated
	i.done.Same += done.Same
	i.done.Older += done.Older
	for _, r := range done.Refused {
		i.refused++
		err := &accounting.LineError{Line: lines[r.Index], Err: r}
		if i.strict {
			return err
		}
		i.tell(name, err.Error())
	}
	return nil
}

// pause waits, or not any more.
func pause(ctx context.Context, span time.Duration) error {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// tell says what is wrong, the first times.
func (i *importing) tell(name, why string) {
	if i.told++; i.told <= mostTold {
		i.progress.clear()
		fmt.Fprintf(i.w.err, "procmon-report: %s: %s\n", oneLine(name), oneLine(why))
	}
}

// summary says what was done.
func (i *importing) summary() error {
	if more := i.told - mostTold; more > 0 {
		fmt.Fprintf(i.w.err, "procmon-report: and %d more like these\n", more)
	}
	if i.lines.Lines == 0 && i.told == 0 {
		return nil
	}
	parts := []string{fmt.Sprintf("%s: %s new, %d updated, %d known already", plural(i.lines.Lines, "line"), plural(i.done.Added, "job"), i.done.Updated, i.done.Same)}
	for _, p := range []struct {
		n    int
		what string
	}{
		{i.done.Older, "of earlier lives of requeued jobs left out, for want of the column Restarts"},
		{i.lines.Steps, "of steps skipped"},
		{i.lines.Other, "that tell nothing of one job skipped"},
		{i.lines.Bad, "bad"},
		{i.refused, "refused"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	_, err := fmt.Fprintln(i.w.out, strings.Join(parts, "; ")+".")
	return err
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
