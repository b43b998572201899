package index

import (
	"context"
	"errors"

	"procmon"
)

// Gathered says what became of records given to Gather.
type Gathered struct {
	Added   int // runs that were not known
	Updated int // of runs that are known, and told more
	Same    int // nothing new, of runs and losses
	Older   int // of runs that began before what single runs are kept of: they may have been counted
	Losses  int // that were not known
	Jobs    int // summaries of jobs
	Refused []*RefusedError
}

// Create makes an index at path where there is none, and brings an older one up
// to this version. Its group is as in Options. It fails with ErrInUse while a Writer has it open.
func Create(ctx context.Context, path, group string) error {
	w, err := Open(ctx, Options{Path: path, Host: "none", Group: group})
	if err != nil {
		return err
	}
	return w.Close()
}

// Gather stores records of any host, in any order and as often as one likes, in
// one transaction: some hundred at a time let the Writer write between. A run is known by its
// host, its pid and the µs in which it began. Which runs go on is
// the business of each host's own Writer: Gather tells Live nothing. An error means that nothing was stored, and
// that it can be tried again.
func (i *Importer) Gather(ctx context.Context, records []procmon.Record) (Gathered, error) {
	var done Gathered
	err := i.w.do(ctx, func(t *txn) error {
		done = Gathered{}
		g := gathering{txn: t, done: &done, seen: make(map[string]int64)}
		if _, err := t.get("SELECT value FROM t_meta WHERE key = 'runs_from'", nil, &g.runsFrom); err != nil {
			return err
		}
		for n := range records {
			var refused *refusal
			switch err := g.record(&records[n]); {
			case errors.As(err, &refused):
				done.Refused = append(done.Refused, &RefusedError{n, refused.why})
			case err != nil:
				return err
			default:
				g.seen[records[n].Host] = max(g.seen[records[n].Host], records[n].Time.UnixMicro())
			}
		}
		for host, at := range g.seen {
			if err := t.seen(host, at); err != nil {
				return err
			}
		}
		return t.flush()
	})
	if err != nil {
		return Gathered{}, err
	}
	return done, nil
}

// gathering is one call of Gather.
type gathering struct {
	*txn
	done     *Gathered
	runsFrom int64            // single runs that began before were pruned, µs
	seen     map[string]int64 // when each host's daemon surely ran, µs
}

func (g *gathering) record(r *procmon.Record) error {
	switch {
	case r.Run != nil:
		return g.run(r)
	case r.Loss != nil:
		added, err := g.loss(r)
		if err != nil {
			return err
		}
		if added {
			g.done.Losses++
		} else {
			g.done.Same++
		}
	case r.Summary != nil:
		if err := g.summary(r); err != nil {
			return err
		}
		g.done.Jobs++
	}
	return nil
}

func (g *gathering) run(r *procmon.Record) error {
	start, err := startOf(r)
	if err != nil {
		return err
	}
	r = g.shorten(r)
	host, err := g.host(r.Host)
	if err != nil {
		return err
	}
	row, err := g.probe(start, host, r.Run.Process.Run.Process.PID)
	if row == nil && err == nil && start < g.runsFrom {
		row, err = g.leftBehind(start, runOwner{host, r.Run.Process.Run.Process.PID})
	}
	if err != nil {
		return err
	}
	switch {
	case row == nil && start < g.runsFrom:
		g.done.Older++
	case row == nil:
		if _, err := g.add(r, start); err != nil {
			return err
		}
		g.done.Added++
	default:
		changed, err := g.goOn(r, row)
		switch {
		case err != nil:
			return err
		case changed:
			g.done.Updated++
		default:
			g.done.Same++
		}
	}
	return nil
}
