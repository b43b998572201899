package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/report"
	"procmon/report/render"
)

const unknownDescription = `Lists the program files whose application is not known, the most CPU time first, and
how much of all CPU time they make. --snippets prints rules for them instead, ready to be
put into a file of /etc/procmon/catalog.d: the names are yours to fill in, and what you
don't know, or what is a user's own, is best left out. procmond check checks the file;
procmon-report reclassify names what is recorded.

EXAMPLES:
   procmon-report unknown --last 90d
   procmon-report unknown --account chem --limit 5
   procmon-report unknown --snippets --output /etc/procmon/catalog.d/50-new.toml

EXIT STATUS:
   0  done, also when all has a name    1  failed    2  wrong use    3  no index here`

func unknownFlags() []cli.Flag {
	flags := []cli.Flag{&cli.BoolFlag{Name: "snippets", Category: "rows", Usage: "print rules to fill in", DisableDefaultText: true}}
	for _, f := range filters {
		if !slices.Contains(namedBy, f.by) {
			flags = append(flags, &cli.GenericFlag{Name: f.flag, Category: "filter", Usage: f.usage, Value: new(values)})
		}
	}
	flags = append(flags, rangeFlags()...)
	flags = append(flags,
		&cli.StringFlag{Name: "sort", Category: "rows", Usage: "sort by `COLUMN`, numbers from the greatest, text from A, -COLUMN reverses (default: cpu_seconds)"},
		&cli.IntFlag{Name: "limit", Category: "rows", Usage: "show at most `N` programs, 0: all", Value: 20})
	return append(flags, commonFlags()...)
}

// namedBy are the dimensions that say what a program is.
var namedBy = []report.Dimension{report.Application, report.Version, report.Kind}

func (w *world) unknown(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("unknown takes no arguments")
	}
	q := report.Query{Sort: c.String("sort"), Limit: c.Int("limit"), Now: w.now}
	for _, f := range filters {
		if list := valuesOf(c, f.flag); len(list) > 0 {
			q.Filters = append(q.Filters, report.Filter{By: f.by, Values: list})
		}
	}
	var err error
	if q.Since, q.Until, err = w.span(c); err != nil {
		return err
	}
	return w.answer(c, func(ctx context.Context, s *holdings, out *output) error {
		t, err := w.unnamed(ctx, s, q)
		if err != nil {
			return err
		}
		if c.Bool("snippets") {
			return writeSnippets(out, t, w.now)
		}
		if !c.IsSet("since") && !c.IsSet("until") && !c.IsSet("last") {
			t.Notes = slices.Insert(t.Notes, 0, fmt.Sprintf("No range was given: these are the last %d days.", defaultDays))
		}
		if out.options.Format == render.JSON { // people read it in a note
			t.Unnamed.Runs, t.Unnamed.CPUSeconds = measured(t)
		}
		if err := render.Write(out, t, out.options); err != nil || out.options.Format != render.Table {
			return err
		}
		return hintSnippet(out, t)
	})
}

// unnamed is the table of programs without a name, with their share of all.
func (w *world) unnamed(ctx context.Context, s *holdings, q report.Query) (*report.Table, error) {
	info, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	q.RunsFrom, q.UsageFrom = info.RunsFrom, info.UsageFrom
	all := q
	all.Sort, all.Limit = "", 0
	whole, err := report.Summarize(ctx, s.db, all)
	if err != nil {
		return nil, err
	}
	q.By = []report.Dimension{report.Executable}
	q.Filters = append(slices.Clone(q.Filters), report.Filter{By: report.Application, Values: []string{"(unknown)"}})
	t, err := report.Summarize(ctx, s.db, q)
	if err != nil {
		return nil, err
	}
	runs, cpu := measured(t)
	allRuns, allCPU := measured(whole)
	t.Notes = slices.Insert(t.Notes, 0, partOf(runs, allRuns, cpu, allCPU))
	if len(t.Rows) == 0 && allRuns == 0 {
		t.Notes[0] = nothing(&info, &whole.Query)
	}
	t.Notes = append(t.Notes, s.partly()...)
	return t, nil
}

// measured are runs and CPU seconds of all of a table.
func measured(t *report.Table) (runs int64, cpu float64) {
	for i, c := range t.Columns {
		if t.Total == nil {
			break
		}
		switch c.Name {
		case "runs":
			runs, _ = t.Total[i].(int64)
		case "cpu_seconds":
			cpu, _ = t.Total[i].(float64)
		}
	}
	return runs, cpu
}

// partOf says how much has no name.
func partOf(runs, allRuns int64, cpu, allCPU float64) string {
	if runs == 0 {
		return fmt.Sprintf("All of %d runs have a name.", allRuns)
	}
	share := 0.0
	if allCPU > 0 {
		share = 100 * cpu / allCPU
	}
	return fmt.Sprintf("Without a name: %d of %d runs, %.1f %% of their CPU time.", runs, allRuns, share)
}

// hintSnippet shows how the first program of a table could be named.
func hintSnippet(out io.Writer, t *report.Table) error {
	all := snippetsOf(t)
	if len(all) == 0 {
		return nil
	}
	const indent = "\n   "
	rule := strings.ReplaceAll(strings.TrimSuffix(all[0].String(), "\n"), "\n", indent)
	_, err := fmt.Fprintf(out, "\nA rule in %s names a program, --snippets prints one for each:\n%s%s\n", defaultCatalog, indent, rule)
	return err
}

// writeSnippets writes rules for the programs of a table.
func writeSnippets(out io.Writer, t *report.Table, now time.Time) error {
	if _, err := fmt.Fprintf(out, "# Programs without a name, %s. Fill in the names; drop what is a user's own.\n", now.UTC().Format(time.DateOnly)); err != nil {
		return err
	}
	for _, s := range snippetsOf(t) {
		if _, err := fmt.Fprintf(out, "\n%s", s); err != nil {
			return err
		}
	}
	return nil
}
