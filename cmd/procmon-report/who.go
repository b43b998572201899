package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"procmon/report"
)

const usersDescription = `Shows the applications of each user, those with the most CPU time first: a
report --by user,application, with all of its flags. USER keeps some of them.

EXAMPLES:
   procmon-report users
   procmon-report users alice bob --last 7d
   procmon-report users --application GROMACS --sort last

EXIT STATUS:
   0  done, also when nothing was found    1  failed    2  wrong use    3  no index here`

// users says who uses what.
func (w *world) users(c *cli.Context) error {
	q, err := w.query(c, report.User, report.Application)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		q.Filters = append(q.Filters, report.Filter{By: report.User, Values: c.Args().Slice()})
	}
	return w.summarize(c, q)
}

const versionsDescription = `Shows the versions of one application, who uses each of them, and when it was
last used, the newest first: a report --by-version that names the users, with all of its flags.
Without a range it covers all that the index has.

EXAMPLES:
   procmon-report versions R
   procmon-report versions GROMACS --app-version 2021.5 --by user
   procmon-report versions Python --last 90d --sort users

EXIT STATUS:
   0  done, also when nothing was found    1  failed    2  wrong use    3  no index here`

// versions says which versions of an application are used, and by whom.
func (w *world) versions(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("versions needs one application: procmon-report versions GROMACS")
	}
	q, err := w.query(c, report.Version)
	if err != nil {
		return err
	}
	q.Filters = append(q.Filters, report.Filter{By: report.Application, Values: c.Args().Slice()})
	q.Who = true
	if q.Sort == "" {
		q.Sort = "last"
	}
	if !ranged(c) {
		q.Since = time.Time{}
	}
	return w.summarize(c, q)
}
