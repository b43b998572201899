package index

import (
	"cmp"
	"maps"
	"slices"
)

type (
	usageKey   struct{ day, host, step, user, identity int64 }
	historyKey struct{ day, user, charge, app int64 }
)

// sums is what t_usage and t_history hold beside their keys.
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
)

// flush books what the transaction gathered to usage and to history.
func (t *txn) flush() error {
	history := make(map[historyKey]*sums)
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
		charge, err := t.lookup(&t.w.cache.charged, "SELECT j.charge FROM t_step s JOIN t_job j ON j.id = s.job WHERE s.id = ?", k.step)
		if err != nil {
			return err
		}
		app, err := t.lookup(&t.w.cache.apped, "SELECT app FROM t_identity WHERE id = ?", k.identity)
		if err != nil {
			return err
		}
		addTo(history, historyKey{k.day, k.user, charge, app}, s)
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
	return t.resum()
}

// lookup asks for one number of id, where it is not remembered.
func (t *txn) lookup(m *memo[int64, int64], query string, id int64) (int64, error) {
	v, ok := m.get(id)
	if ok {
		return v, nil
	}
	_, err := t.get(query, []any{id}, &v)
	if err == nil {
		m.put(id, v)
	}
	return v, err
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
