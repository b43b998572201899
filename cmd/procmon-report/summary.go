package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/index"
	"procmon/report"
)

// defaultDays is the range of a report that was given none.
const defaultDays = 30

// summary is a report by dimensions.
func (w *world) summary(c *cli.Context) error {
	if c.Args().Present() {
		return w.unknownCommand(c)
	}
	q, err := w.query(c)
	if err != nil {
		return err
	}
	return w.answer(c, func(ctx context.Context, tx *sql.Tx, r *index.Reader, out *output) error {
		info, err := r.Info(ctx)
		if err != nil {
			return err
		}
		q.RunsFrom, q.UsageFrom = info.RunsFrom, info.UsageFrom
		page, err := summarize(ctx, tx, q, out.options.Format)
		if err != nil {
			return err
		}
		t := page.Table
		if !c.IsSet("since") && !c.IsSet("until") && !c.IsSet("last") {
			t.Notes = slices.Insert(t.Notes, 0, fmt.Sprintf("No range was given: these are the last %d days.", defaultDays))
		}
		if since := t.Query.Since; len(t.Rows) > 0 && since.Before(lastDays(info.First, 1)) {
			t.Notes = append(t.Notes, "The first run in the index began "+info.First.In(w.zoneOf(c)).Format("2006-01-02 15:04 MST")+".")
		}
		if len(t.Rows) == 0 {
			t.Notes = slices.Insert(t.Notes, 0, nothing(&info, &t.Query))
		}
		return writePage(out, page)
	})
}

func (w *world) unknownCommand(c *cli.Context) error {
	var names []string
	for _, command := range c.App.Commands {
		names = append(names, command.Name)
	}
	return &report.UnknownError{What: "command", Name: c.Args().First(), Known: names, Near: report.Nearest(c.Args().First(), names)}
}

// query is what the flags ask for.
func (w *world) query(c *cli.Context) (report.Query, error) {
	q := report.Query{Sort: c.String("sort"), Limit: c.Int("limit"), All: c.Bool("all"), Now: w.now}
	for _, list := range valuesOf(c, "by") {
		for name := range strings.SplitSeq(list, ",") {
			d, err := report.ParseDimension(name)
			if err != nil {
				return q, err
			}
			q.By = append(q.By, d)
		}
	}
	for _, d := range report.Dimensions {
		if c.Bool("by-" + string(d)) {
			q.By = append(q.By, d)
		}
	}
	if len(q.By) == 0 {
		q.By = []report.Dimension{report.Application}
	}
	for _, f := range filters {
		if list := valuesOf(c, f.flag); len(list) > 0 {
			q.Filters = append(q.Filters, report.Filter{By: f.by, Values: list})
		}
	}
	var err error
	q.Since, q.Until, err = w.span(c)
	return q, err
}

func valuesOf(c *cli.Context, name string) []string {
	if v, ok := c.Generic(name).(*values); ok {
		return *v
	}
	return nil
}

// span is the range that the flags ask for.
func (w *world) span(c *cli.Context) (since, until time.Time, err error) {
	if c.IsSet("last") && (c.IsSet("since") || c.IsSet("until")) {
		return since, until, usagef("--last and --since or --until exclude each other")
	}
	clock := clock{w.now, w.zoneOf(c)}
	if c.IsSet("until") {
		if until, err = clock.moment(c.String("until")); err != nil {
			return since, until, usagef("--until: %w", err)
		}
	}
	switch {
	case c.IsSet("since"):
		if since, err = clock.moment(c.String("since")); err != nil {
			return since, until, usagef("--since: %w", err)
		}
	case c.IsSet("last"):
		if since, err = lastSpan(w.now, c.String("last")); err != nil {
			return since, until, usagef("--last: %w", err)
		}
	case !c.IsSet("until"):
		since = lastDays(w.now, defaultDays)
	}
	return since, until, nil
}

// lastSpan is when the last so-and-so much began.
func lastSpan(now time.Time, s string) (time.Time, error) {
	span, days, err := duration(s)
	switch {
	case err != nil:
		return time.Time{}, err
	case span == 0:
		return time.Time{}, fmt.Errorf("%q is no time at all", s)
	case days:
		return lastDays(now, int(span/(24*time.Hour))), nil
	}
	return now.Add(-span), nil
}

// lastDays is when the last n UTC days began, today being one of them: whole
// days can be answered from daily sums.
func lastDays(now time.Time, n int) time.Time {
	y, m, d := now.UTC().Date()
	return time.Date(y, m, d-n+1, 0, 0, 0, 0, time.UTC)
}

// nothing says what was searched in vain, and what there is.
func nothing(info *index.Info, q *report.Query) string {
	var asked []string
	for _, f := range q.Filters {
		asked = append(asked, fmt.Sprintf("%s %s", f.By, strings.Join(f.Values, " or ")))
	}
	filters := "no filters"
	if len(asked) > 0 {
		filters = strings.Join(asked, ", ")
	}
	has := "The index has no runs at all; is procmond running?"
	if info.Runs > 0 {
		has = fmt.Sprintf("The index has %d runs from %s to %s.", info.Runs,
			info.First.Format(time.RFC3339), info.Last.Format(time.RFC3339))
	}
	return fmt.Sprintf("Nothing found in %s in this range with %s. %s", info.Path, filters, has)
}
