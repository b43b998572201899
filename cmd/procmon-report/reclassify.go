package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"procmon/appmap"
	"procmon/index"
	"procmon/report"
	"procmon/report/render"
)

const defaultCatalog = "/etc/procmon/catalog.d"

const reclassifyDescription = `Names all programs in the index again with today's rules, the site's and the
built-in ones, and so all their runs, those that are only in daily sums too. Shows
what became what.

No file of a recorded path is opened: what install paths and names of programs tell
is told anew; what was read from package metadata, modules and environments at the
time stays, with today's spelling. Give it the rules of the nodes: a name that only a
rule tells which is missing here becomes unknown. --dry-run shows that before.

It works while procmond writes, in short steps; interrupted, what was done stays, and
the next call goes on. Let procmond read the new rules first (procmond reload): one
with the old rules goes on to give the old names to new runs. Takes the right to write
the index; --dry-run only that to read it.

EXAMPLES:
   procmon-report reclassify --dry-run
   procmon-report reclassify --catalog-dir ./catalog.d --since now-90days
   procmon-report reclassify --format json --output changes.json

EXIT STATUS:
   0  done, also when nothing changed    1  failed or interrupted
   2  wrong use, or a bad rule file    3  no index here, or no permission to write it`

func reclassifyFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "catalog-dir", Category: "rules", Usage: "the site's rules are the *.toml in `DIR`",
			EnvVars: []string{"PROCMON_CATALOG_DIR"}, Value: defaultCatalog},
		&cli.BoolFlag{Name: "dry-run", Category: "rules", Usage: "change nothing, show what would change", DisableDefaultText: true},
		&cli.StringFlag{Name: "since", Category: "range", Usage: "only programs that ran on the UTC day of this `TIME` or later, and some of the week before; all their runs are named anew"},
	}, commonFlags()...)
}

func (w *world) reclassify(c *cli.Context) (err error) {
	if c.Args().Present() {
		return usagef("reclassify takes no arguments")
	}
	var o index.Reclassify
	if c.IsSet("since") {
		if o.Since, err = (clock{w.now, w.zoneOf(c)}).moment(c.String("since")); err != nil {
			return usagef("--since: %w", err)
		}
	}
	options, err := w.options(c)
	switch {
	case err != nil:
		return err
	case options.Format != render.Table && options.Format != render.JSON && options.Format != render.CSV:
		return usagef("reclassify has no --format %s, but table, json and csv", options.Format)
	}
	rules, notes, err := siteRules(c)
	if err != nil {
		return err
	}
	o.Name = rules.Rename
	path, err := w.oneIndex(c)
	if err != nil {
		return err
	}
	rename := w.renameAll
	if c.Bool("dry-run") {
		rename = w.planRename
	}
	done, err := rename(c.Context, path, o)
	if err != nil {
		return err
	}
	t := report.NewRenamed(done, c.Bool("dry-run"))
	t.Notes = notes
	show := func(to io.Writer) error { return render.Renamed(to, t, options) }
	if path := c.String("output"); path != "-" {
		return toFile(path, show)
	}
	return show(w.out)
}

// siteRules reads the rules. Those of the site may be missing where nobody
// said that there are any.
func siteRules(c *cli.Context) (*appmap.Rules, []string, error) {
	dir := c.String("catalog-dir")
	var notes []string
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if c.IsSet("catalog-dir") {
			return nil, nil, usagef("--catalog-dir: %w", err)
		}
		notes = append(notes, fmt.Sprintf("There is no %s here: the built-in rules alone were asked; --catalog-dir names others.", dir))
	}
	rules, err := appmap.LoadRules(dir)
	return rules, notes, err
}

// planRename says what renameAll would do.
func (w *world) planRename(ctx context.Context, path string, o index.Reclassify) (index.Reclassified, error) {
	p := newProgress(w)
	o.Progress = p.at
	done, err := index.PlanReclassify(ctx, path, o)
	p.clear()
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return done, hint(err)
}

// renameAll names the programs of an index again, and says how far it came
// when it is cut short.
func (w *world) renameAll(ctx context.Context, path string, o index.Reclassify) (done index.Reclassified, err error) {
	in, err := index.OpenImporter(ctx, path)
	if err != nil {
		return done, hint(err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	p := newProgress(w)
	o.Progress = p.at
	began := time.Now()
	done, err = in.Reclassify(ctx, o)
	p.clear()
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil && (done.Done > 0 || ctx.Err() != nil) {
		return done, fmt.Errorf("%w after %s, with %s changed; they stay, and the next call goes on",
			err, time.Since(began).Round(time.Second), plural(int(done.Done), "program"))
	}
	return done, err
}
