package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"procmon"
	"procmon/cmd/internal/manual"
	"procmon/report"
	"procmon/report/render"
)

const defaultIndex = "/var/lib/procmon/procmon.db"

const description = `Without a range a report covers the last 30 days. Flags may stand before and
after arguments; "--" ends them. Launchers, shells and system programs are left
out of reports by application unless --all, --kind, --application or
--executable asks for them.

Times are local: 2026-11-22, 2026-11-22T08:30, 08:30, today, yesterday, now-7days,
or RFC 3339 with a zone. A date is its first moment, for --until too. --last and
now- take s, m, h, d and w, or words such as 7days; --last in days or weeks
counts whole days (UTC), today included.

EXAMPLES:
   procmon-report --by-application
   procmon-report --by-application --by-user --last 7d
   procmon-report --by application,account --since 2026-11-01 --sort users --limit 20
   procmon-report --by-version --job 1234
   procmon-report --by-month --application GROMACS --last 365d --format csv --output gromacs.csv
   procmon-report --by-account --last 30d --compare
   procmon-report --index /srv/procmon/nodes --by-user
   procmon-report job 1234
   procmon-report --mine --last 7d
   procmon-report --by-application --format html --output applications.html
   procmon-report users alice
   procmon-report versions R
   procmon-report coverage
   procmon-report unknown --last 90d

EXIT STATUS:
   0  done, also when nothing was found, and when whoever reads has enough (| head)
   1  failed; for "job", also when the index does not know the job; of several
      indexes, also when some were left out: the report is of the others then
   2  wrong use
   3  not possible here: no index, no permission to read it, or its schema is not this program's`

func (w *world) app() *cli.App {
	app := w.reports()
	app.Commands = append(app.Commands, manual.Commands(func() *cli.App { return app }, w.out, choices(), func(why string) error { return usagef("%s", why) })...)
	return app
}

// choices are the words that flags choose from.
func choices() manual.Choices {
	words := manual.Choices{"format": render.Formats}
	for _, d := range report.Dimensions {
		words["by"] = append(words["by"], string(d))
	}
	for _, k := range procmon.AppKinds {
		words["kind"] = append(words["kind"], string(k))
	}
	return words
}

// reports is the program but for what documents it.
func (w *world) reports() *cli.App {
	return &cli.App{
		Name:            "procmon-report",
		Usage:           "say which applications ran, for whom, and what they cost",
		UsageText:       "procmon-report [--by-DIMENSION …] [flags]\nprocmon-report COMMAND [flags] [arguments]",
		Description:     description,
		Version:         version(),
		Writer:          w.out,
		ErrWriter:       w.err,
		ExitErrHandler:  func(*cli.Context, error) {}, // run says it
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		HideHelpCommand: true,
		Flags:           append(append(summaryFlags(), mineFlags()...), commonFlags()...),
		Action:          w.summary,
		Commands: []*cli.Command{
			w.command("job", "one job: what it ran, and what that cost", "ID", jobDescription, w.job,
				append(append([]cli.Flag{&cli.IntFlag{Name: "limit", Usage: "show at most `N` single runs", Value: 200}}, mineFlags()...), commonFlags()...)),
			w.command("users", "who uses what: each user's applications", "[USER…]", usersDescription, w.users, append(summaryFlags(), commonFlags()...)),
			w.command("versions", "which versions of an application are used, by whom, and when last", "APPLICATION", versionsDescription, w.versions,
				append(summaryFlags(), commonFlags()...)),
			w.command("coverage", "what was seen and what was not, by host and by day", "", coverageDescription, w.coverage,
				append(rangeFlags(), commonFlags()...)),
			w.command("unknown", "the programs that have no name yet, and how to name them", "", unknownDescription, w.unknown, unknownFlags()),
			w.command("reclassify", "name recorded runs again with today's rules", "", reclassifyDescription, w.reclassify, reclassifyFlags()),
			w.command("import", "take JSON lines into an index", "FILE…", importDescription, w.importLines, importFlags()),
			w.command("import-jobs", "take over what the scheduler's accounting says of jobs", "FILE…", importJobsDescription, w.importJobs, importJobsFlags()),
			w.command("serve", "the reports as pages, for a browser", "", serveDescription, w.serve, serveFlags()),
			hidden(w.command("answer", "what procmond starts to answer a user's question", "", "", w.answerUser, []cli.Flag{
				&cli.StringFlag{Name: "index", Required: true}, &cli.Uint64Flag{Name: "uid", Required: true},
			})),
		},
	}
}

func (w *world) command(name, usage, args, description string, action cli.ActionFunc, flags []cli.Flag) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: args, Description: description, Action: action, Flags: flags,
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
	}
}

// hidden is a command that other programs use.
func hidden(c *cli.Command) *cli.Command {
	c.Hidden = true
	return c
}

// summaryFlags are those of reports by dimensions.
func summaryFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.GenericFlag{Name: "by", Category: "group by", Usage: "group by `DIMENSION[,…]`", Value: new(values)},
	}
	for _, d := range report.Dimensions {
		usage := "the same as --by " + string(d)
		if d == report.Version {
			usage += ", which means application and version"
		}
		flags = append(flags, &cli.BoolFlag{Name: "by-" + string(d), Category: "group by", Usage: usage, DisableDefaultText: true})
	}
	for _, f := range filters {
		flags = append(flags, &cli.GenericFlag{Name: f.flag, Category: "filter", Usage: f.usage, Value: new(values)})
	}
	flags = append(flags, rangeFlags()...)
	flags = append(flags,
		&cli.BoolFlag{Name: "all", Category: "rows", Usage: "count launchers, shells and system programs too", DisableDefaultText: true},
		&cli.BoolFlag{Name: "allocated", Category: "rows", Usage: "show the core and GPU time that jobs were allocated; csv and json always have it", DisableDefaultText: true},
		&cli.BoolFlag{Name: "compare", Category: "rows", Usage: "show what changed since the period before, which is as long", DisableDefaultText: true},
		&cli.StringFlag{Name: "sort", Category: "rows", Usage: "sort by `COLUMN`, numbers from the greatest, text from A, -COLUMN reverses (default: cpu_seconds; days in order)"},
		&cli.IntFlag{Name: "limit", Category: "rows", Usage: "show at most `N` rows, 0: all"},
	)
	return flags
}

// values are those of a flag that may be repeated. Unlike the library's, they
// are not split at commas, which paths and names may hold.
type values []string

// Set adds a value.
func (v *values) Set(s string) error { *v = append(*v, s); return nil }

func (v *values) String() string { return strings.Join(*v, ",") }

// filters are the flags that narrow a report.
var filters = []struct {
	flag  string
	by    report.Dimension
	usage string
}{
	{"application", report.Application, "only this application `NAME`, or \"(unknown)\"; may be repeated, as all filters"},
	{"app-version", report.Version, "only this `VERSION`"},
	{"user", report.User, "only this user's `NAME`"},
	{"account", report.Account, "only this `ACCOUNT`"},
	{"job", report.Job, "only the job `ID`, with all its array tasks; \"(none)\": outside jobs"},
	{"step", report.Step, "only this job `STEP`"},
	{"partition", report.Partition, "only this partition or `QUEUE`"},
	{"host", report.Host, "only this `HOST`"},
	{"cluster", report.Cluster, "only this `CLUSTER`"},
	{"executable", report.Executable, "only this program file's `PATH`"},
	{"kind", report.Kind, "only this `KIND`: application, script, interpreter, compiler, launcher, shell, system, unknown"},
}

func rangeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "since", Category: "range", Usage: "from this `TIME` on"},
		&cli.StringFlag{Name: "until", Category: "range", Usage: "up to this `TIME`, which does not count any more"},
		&cli.StringFlag{Name: "last", Category: "range", Usage: "the last `DURATION`: 30d, 12h, 2w"},
	}
}

func commonFlags() []cli.Flag {
	return []cli.Flag{
		indexFlag("index and output"),
		&cli.StringFlag{Name: "format", Category: "index and output", Usage: "show as `FORMAT`: " + strings.Join(render.Formats, ", "), Value: "table"},
		&cli.StringFlag{Name: "output", Category: "index and output", Usage: "write to `FILE`, \"-\": standard output", Value: "-"},
		&cli.BoolFlag{Name: "utc", Category: "index and output", Usage: "take and show times in UTC", DisableDefaultText: true},
	}
}

func indexFlag(category string) cli.Flag {
	return &cli.GenericFlag{
		Name: "index", Category: category, Value: new(values),
		Usage: "read the index at `PATH`, or all *.db of a directory; may be repeated (default: $PROCMON_INDEX_PATH, or " + defaultIndex + ")",
	}
}

// version is that of the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = fmt.Sprintf(" (%.12s)", s.Value)
		}
	}
	return info.Main.Version + revision
}
