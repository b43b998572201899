package main

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/urfave/cli/v2"

	"procmon/report/mine"
	"procmon/report/render"
)

const defaultSocket = "/run/procmon/procmond.sock"

// errNoDaemon is a question that no daemon here takes.
var errNoDaemon = errors.New("no daemon answers")

func mineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "mine", Category: "index and output", Usage: "only your own runs on this node, by asking its daemon: for users who may not read the index", DisableDefaultText: true},
		&cli.StringFlag{Name: "socket", Category: "index and output", Usage: "with --mine: the daemon's control socket at `PATH`", EnvVars: []string{"PROCMON_CONTROL_SOCKET"}, Value: defaultSocket},
	}
}

// mine asks the daemon, which knows who asks.
func (w *world) mine(c *cli.Context, q *mine.Question, ranged bool) error {
	options, err := w.options(c)
	if err != nil {
		return err
	}
	if c.IsSet("index") && slices.Contains(c.LocalFlagNames(), "index") {
		return usagef("--mine asks the daemon, which has an index of its own: leave --index away")
	}
	q.Charts = options.Format == render.HTML
	p := newProgress(w)
	defer p.clear()
	p.wait("asking the daemon")
	a, err := mine.Ask(c.Context, c.String("socket"), q)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w at %s: is procmond running on this node, with control.socket there? --socket names another: %w", errNoDaemon, oneLine(c.String("socket")), dial.Err)
	}
	if err != nil {
		return err
	}
	return w.deliver(c, options, p, func(out *output) error {
		if a.Job != nil {
			return render.Job(out, a.Job, out.options)
		}
		if a.Page == nil {
			return fmt.Errorf("%w: its answer is empty", mine.ErrDaemon)
		}
		t := a.Page.Table
		if len(t.Rows) == 0 {
			t.Notes = slices.Insert(t.Notes, 0, "Nothing of yours found in this range with these filters.")
		}
		t.Notes = slices.Insert(t.Notes, 0, "These are your own runs on this node only.")
		if !ranged {
			t.Notes = slices.Insert(t.Notes, 1, fmt.Sprintf("No range was given: these are the last %d days.", defaultDays))
		}
		return writePage(out, a.Page)
	})
}
