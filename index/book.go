package index

import (
	"cmp"
	"maps"
	"slices"
)

type (
	usageKey   struct{ day, host, step, user, identity int64 }
	historyKey struct{ day, user, charge, app int64 }
	totalKey   struct{ day, app int64 }
	usedKey    struct{ identity, day, job, user int64 }
	// charged is a step's job and what history knows of it.
	charged struct{ job, charge int64 }
)

// sums is what t_usage, t_history and t_total hold beside their keys.
type sums struct {
	runs, failed, elapsed, user, sys int64
	rss, read, write                 int64
	first, last                      int64 // ms since the day began
}

func (s *sums) add(o *sums) {
	s.runs += o.runs
	s.failed += o.failed
	s.elapsed += o.elapsed
	s.user += o.user
	s.sys += o.sys
	s.rss = max(s.rss, o.rss)
	s.read += o.read
	s.write += o.write
	s.first = min(s.first, o.first)
	s.last = max(s.last, o.last)
}

// sub takes away what was added, but for maxima and times; nil is nothing.
func (s *sums) sub(o *sums) {
	if o == nil {
		return
	}
	s.runs -= o.runs
	s.failed -= o.failed
	s.elapsed -= o.elapsed
	s.user -= o.user
	s.sys -= o.sys
	s.read -= o.read
	s.write -= o.write
}

// addTo adds to the entry of k, which it makes where needed.
func addTo[K comparable](m map[K]*sums, k K, o *sums) {
	if s := m[k]; s != nil {
		s.add(o)
		return
	}
	s := *o
	m[k] = &s
}

const (
	sumColumns = "runs, failed, elapsed, user_us, sys_us, rss, read, write, first, last"
	addSums    = ` DO UPDATE SET
		runs = runs + excluded.runs, failed = failed + excluded.failed, elapsed = elapsed + excluded.elapsed,
		user_us = user_us + excluded.user_us, sys_us = sys_us + excluded.sys_us, rss = max(rss, excluded.rss),
		read = read + excluded.read, write = write + excluded.write,
		first = min(first, excluded.first), last = max(last, excluded.last)`
	addUsage   = ` ON CONFLICT (day, host, step, user, identity)` + addSums
	addHistory = ` ON CONFLICT (day, user, charge, app)` + addSums
	addTotal   = ` ON CONFLICT (day, app)` + addSums
)

// flush books what the transaction gathered to usage and to all that follows from it.
func (t *txn) flush() error {
	history, totals := make(map[historyKey]*sums), make(map[totalKey]*sums)
	keys := slices.SortedFunc(maps.Keys(t.usage), func(a, b usageKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.host, b.host), cmp.Compare(a.step, b.step),
			cmp.Compare(a.user, b.user), cmp.Compare(a.identity, b.identity))
	})
	for _, k := range keys {
		s := t.usage[k]
		if err := t.exec(`INSERT INTO t_usage (day, host, step, user, identity, `+sumColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+addUsage, k.day, k.host, k.step, k.user, k.identity,
			s.runs, s.failed, s.elapsed, s.user, s.sys, s.rss, s.read, s.write, s.first, s.last); err != nil {
			return err
		}
		step, err := t.chargedOf(k.step)
		if err != nil {
			return err
		}
		app, err := t.appOf(k.identity)
		if err != nil {
			return err
		}
		addTo(history, historyKey{k.day, k.user, step.charge, app}, s)
		addTo(totals, totalKey{k.day, app}, s)
		if err := t.countIn(usedKey{k.identity, k.day, step.job, k.user}); err != nil {
			return err
		}
	}
	clear(t.usage)
	for identity, day := range t.later { // else it would be pruned before its usage
		if err := t.exec("UPDATE t_identity SET day = max(day, ?) WHERE id = ?", day, identity); err != nil {
			return err
		}
	}
	clear(t.later)
	for k, s := range history {
		if err := t.exec(`INSERT INTO t_history (day, user, charge, app, `+sumColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+addHistory, k.day, k.user, k.charge, k.app,
			s.runs, s.failed, s.elapsed, s.user, s.sys, s.rss, s.read, s.write, s.first, s.last); err != nil {
			return err
		}
	}
	for k, s := range totals {
		if err := t.exec(`INSERT INTO t_total (day, app, `+sumColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+addTotal, k.day, k.app,
			s.runs, s.failed, s.elapsed, s.user, s.sys, s.rss, s.read, s.write, s.first, s.last); err != nil {
			return err
		}
	}
	return t.resum()
}

func (t *txn) chargedOf(step int64) (c charged, err error) {
	c, ok := t.w.cache.charged.get(step)
	if ok {
		return c, nil
	}
	_, err = t.get("SELECT j.id, j.charge FROM t_step s JOIN t_job j ON j.id = s.job WHERE s.id = ?", []any{step}, &c.job, &c.charge)
	if err == nil {
		t.w.cache.charged.put(step, c)
	}
	return c, err
}

func (t *txn) appOf(identity int64) (app int64, err error) {
	app, ok := t.w.cache.apped.get(identity)
	if ok {
		return app, nil
	}
	_, err = t.get("SELECT app FROM t_identity WHERE id = ?", []any{identity}, &app)
	if err == nil {
		t.w.cache.apped.put(identity, app)
	}
	return app, err
}

// countIn makes the row of a program's use on a day by a job and a user.
func (t *txn) countIn(k usedKey) error {
	if ok, _ := t.w.cache.counted.get(k); ok {
		return nil
	}
	err := t.exec("INSERT OR IGNORE INTO t_used (identity, day, job, user) VALUES (?, ?, ?, ?)", k.identity, k.day, k.job, k.user)
	if err == nil {
		t.w.cache.counted.put(k, true)
	}
	return err
}

// resum makes history anew where a job's account, partition or cluster became
// known after some of its runs had been booked: for those days and charges, from usage.
func (t *txn) resum() error {
	type part struct{ day, charge int64 }
	parts := make(map[part]bool)
	for job, charges := range t.recharge {
		err := t.each("SELECT DISTINCT day FROM t_usage WHERE step IN (SELECT id FROM t_step WHERE job = ?)", []any{job},
			func(scan func(...any) error) error {
				var day int64
				err := scan(&day)
				for c := range charges {
					parts[part{day, c}] = true
				}
				return err
			})
		if err != nil {
			return err
		}
	}
	clear(t.recharge)
	for p := range parts {
		if err := t.exec("DELETE FROM t_history WHERE day = ? AND charge = ?", p.day, p.charge); err != nil {
			return err
		}
		if err := t.exec(`INSERT INTO t_history (day, user, charge, app, `+sumColumns+`)
			SELECT g.day, g.user, j.charge, i.app, sum(g.runs), sum(g.failed), sum(g.elapsed), sum(g.user_us), sum(g.sys_us),
				max(g.rss), sum(g.read), sum(g.write), min(g.first), max(g.last)
			FROM t_usage g JOIN t_step s ON s.id = g.step JOIN t_job j ON j.id = s.job JOIN t_identity i ON i.id = g.identity
			WHERE g.day = ? AND j.charge = ? GROUP BY 1, 2, 3, 4`, p.day, p.charge); err != nil {
			return err
		}
	}
	return nil
}
