package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/index"
	"procmon/report"
	"procmon/report/mine"
	"procmon/report/render"
)

// defaultDays is the range of a report that was given none.
const defaultDays = 30

// summary is a report by dimensions.
func (w *world) summary(c *cli.Context) error {
	if c.Args().Present() {
		return w.unknownCommand(c)
	}
	q, err := w.query(c, report.Application)
	if err != nil {
		return err
	}
	return w.summarize(c, q)
}

// summarize answers a query.
func (w *world) summarize(c *cli.Context, q report.Query) error {
	chosen := ranged(c) || q.Since.IsZero()
	if c.Bool("mine") {
		return w.mine(c, &mine.Question{Query: q}, chosen)
	}
	return w.answer(c, func(ctx context.Context, s *holdings, out *output) error {
		page, err := ask(ctx, s, q, chosen, out.options)
		if err != nil {
			return err
		}
		return writePage(out, page)
	})
}

// ranged says whether the flags tell a range.
func ranged(c *cli.Context) bool { return c.IsSet("since") || c.IsSet("until") || c.IsSet("last") }

func (w *world) unknownCommand(c *cli.Context) error {
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	return &report.UnknownError{What: "command", Name: c.Args().First(), Known: names, Near: report.Nearest(c.Args().First(), names)}
}

// query is what the flags ask for, by some dimensions if they name none.
func (w *world) query(c *cli.Context, by ...report.Dimension) (report.Query, error) {
	q := report.Query{Sort: c.String("sort"), Limit: c.Int("limit"), All: c.Bool("all"), Compare: c.Bool("compare"), Now: w.now}
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
		q.By = by
	}
	for _, f := range filters {
		if list := valuesOf(c, f.flag); len(list) > 0 {
			q.Filters = append(q.Filters, report.Filter{By: f.by, Values: list})
		}
	}
	q.Allocated = c.Bool("allocated") || hasAll(render.Format(strings.ToLower(c.String("format"))))
	var err error
	q.Since, q.Until, err = w.span(c)
	return q, err
}

// hasAll says whether a format is for programs, which don't ask again for what is dear.
func hasAll(format render.Format) bool { return format == render.CSV || format == render.JSON }

func valuesOf(c *cli.Context, name string) []string {
	if v, ok := c.Generic(name).(*values); ok {
		return *v
	}
	return nil
}

// span is the range that the flags ask for.
func (w *world) span(c *cli.Context) (since, until time.Time, err error) {
	return span(clock{w.now, w.zoneOf(c)}, func(name string) (string, bool) { return c.String(name), c.IsSet(name) })
}

// span is the range that since, until and last ask for, where they are given.
func span(clock clock, get func(name string) (value string, given bool)) (since, until time.Time, err error) {
	from, hasSince := get("since")
	to, hasUntil := get("until")
	last, hasLast := get("last")
	if hasLast && (hasSince || hasUntil) {
		return since, until, usagef("--last and --since or --until exclude each other")
	}
	if hasUntil {
		if until, err = clock.moment(to); err != nil {
			return since, until, usagef("--until: %w", err)
		}
	}
	switch {
	case hasSince:
		if since, err = clock.moment(from); err != nil {
			return since, until, usagef("--since: %w", err)
		}
	case hasLast:
		if since, err = lastSpan(clock.now, last); err != nil {
			return since, until, usagef("--last: %w", err)
		}
	case !hasUntil:
		since = lastDays(clock.now, defaultDays)
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
