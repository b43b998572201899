package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/index"
	"procmon/report"
	"procmon/report/mine"
	"procmon/report/render"
)

const jobDescription = `ID is the id as users say it, or the scheduler's own: 1234, 1234_7 for a task of a
Slurm array, 1234 for all of its tasks, 1234+1 for a component of a heterogeneous
job, 1234[7] in OpenPBS. Shows what is known of the job, what was allocated, its steps, its
applications with versions, how runs failed, those that failed first and those that took longest,
and its single runs as a tree, each below the one that started it.

EXAMPLES:
   procmon-report job 1234
   procmon-report job 4_5 --limit 1000
   procmon-report job 4+1 --format json
   procmon-report job '2[3].server'
   procmon-report job 1234 --index /srv/procmon/nodes

EXIT STATUS:
   0  done    1  failed, or the index does not know the job    2  wrong use    3  no index here`

// mostRuns is how many single runs a report of a job holds at most, so that
// a job of millions doesn't need gigabytes.
const mostRuns = 100_000

func (w *world) job(c *cli.Context) error {
	limit := c.Int("limit")
	switch {
	case c.NArg() != 1:
		return usagef("job needs one job id: procmon-report job 1234")
	case limit < 0:
		return usagef("--limit %d is below 0", limit)
	case limit > mostRuns, limit == 0:
		limit = mostRuns
	}
	if c.Bool("mine") {
		return w.mine(c, &mine.Question{Job: c.Args().First(), Runs: limit}, true)
	}
	return w.answer(c, func(ctx context.Context, s *holdings, out *output) error {
		found, err := report.FindJob(ctx, s.db, c.Args().First(), limit, w.now)
		if errors.Is(err, report.ErrNoJob) {
			return w.noJob(ctx, s, err)
		}
		if err != nil {
			return err
		}
		found.Notes = append(found.Notes, s.partly()...)
		return render.Job(out, found, out.options)
	})
}

// noJob adds what was searched.
func (w *world) noJob(ctx context.Context, s *holdings, notFound error) error {
	info, err := s.info(ctx)
	switch {
	case err != nil:
		return errors.Join(notFound, err)
	case info.Runs == 0:
		return fmt.Errorf("%w; %s has no runs at all: is procmond running?", notFound, info.Path)
	}
	return fmt.Errorf("%w; %s has %d runs from %s to %s", notFound, info.Path, info.Runs,
		info.First.Format(time.RFC3339), info.Last.Format(time.RFC3339))
}

const coverageDescription = `Shows for each host and each day when runs were seen, how many, and what is known to be lost:
events that came too fast, and times in which no daemon looked. Without a range
it covers the last 30 days.

EXAMPLES:
   procmon-report coverage
   procmon-report coverage --since 2026-11-01 --until 2026-12-01 --format csv

EXIT STATUS:
   0  done    1  failed    2  wrong use    3  no index here`

func (w *world) coverage(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("coverage takes no arguments")
	}
	since, until, err := w.span(c)
	if err != nil {
		return err
	}
	return w.answer(c, func(ctx context.Context, s *holdings, out *output) error {
		found, err := report.SummarizeCoverage(ctx, s.db, since, until, w.now)
		if err != nil {
			return err
		}
		info, err := s.info(ctx)
		if err != nil {
			return err
		}
		found.Notes = append(found.Notes, append(w.heartbeats(c, &info), s.partly()...)...)
		return render.Coverage(out, found, out.options)
	})
}

// silent is how long a host may have been silent without a word of it.
const silent = 10 * time.Minute

// heartbeats names hosts whose daemon has not written lately.
func (w *world) heartbeats(c *cli.Context, info *index.Info) []string {
	var notes []string
	for _, h := range info.Hosts {
		if w.now.Sub(h.Seen) > silent && !h.Seen.IsZero() {
			notes = append(notes, fmt.Sprintf("The daemon of %s wrote last at %s; what ran there since is not known.",
				h.Name, h.Seen.In(w.zoneOf(c)).Format("2006-01-02 15:04:05 MST")))
		}
	}
	return notes
}
