package index

import (
	"cmp"
	"slices"

	"procmon"
)

// told is what was known of a run at a time, since its start.
type told struct {
	at                              int64 // µs since the epoch
	elapsed, user, sys, read, write int64 // as in t_run
}

// raise moves each figure up, never down, and gives the difference as sums.
func (p *told) raise(o *told) *sums {
	diff := &sums{}
	for _, f := range []struct {
		have *int64
		to   int64
		diff *int64
	}{
		{&p.elapsed, o.elapsed, &diff.elapsed}, {&p.user, o.user, &diff.user}, {&p.sys, o.sys, &diff.sys},
		{&p.read, o.read, &diff.read}, {&p.write, o.write, &diff.write},
	} {
		*f.diff = max(0, f.to-*f.have)
		*f.have += *f.diff
	}
	return diff
}

// spread books what was told, in the order of its times, to the days: to each
// what was told then beyond what was told before.
func spread(all []told) map[int64]*sums {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	var so told
	days := make(map[int64]*sums)
	for i := range all {
		addTo(days, dayOf(all[i].at), so.raise(&all[i]))
	}
	return days
}

// told is what a run's row holds, as of a time.
func (row *runRow) told(at int64) told {
	return told{at, row.elapsed.Int64, row.userCPU.Int64, row.sysCPU.Int64, row.read.Int64, row.write.Int64}
}

// note keeps the last of a day that was told of a run. It is for runs that go
// on, and ends: those of runs that were told in several records, on several days.
func (t *txn) note(id int64, p told) error {
	return t.exec(`INSERT INTO t_told (run, day, at, elapsed, user_us, sys_us, read, write) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (run, day) DO UPDATE SET at = ?3, elapsed = ?4, user_us = ?5, sys_us = ?6, read = ?7, write = ?8 WHERE ?3 > at`,
		id, dayOf(p.at), p.at, p.elapsed, p.user, p.sys, p.read, p.write)
}

// noteRun notes what a record has told of a run, where a later one can need it.
func (t *txn) noteRun(r *procmon.Record, row *runRow, when int64) error {
	if r.Phase == procmon.Checkpoint || r.Phase == procmon.End && (r.Run.End.IsZero() || dayOf(when) != dayOf(row.start)) {
		return t.note(row.id, row.told(when))
	}
	return nil
}

// late books a checkpoint of which a later one, or the end, is booked: what was
// spent until then moves to the days that it was spent on. It says whether
// that changed anything.
func (t *txn) late(r *procmon.Record, row *runRow) (changed bool, err error) {
	if row.flags&flagTold == 0 || r.Phase != procmon.Checkpoint {
		return false, nil
	}
	all, err := t.allTold(row)
	if err != nil {
		return false, err
	}
	var usageFrom int64
	if _, err := t.get("SELECT value FROM t_meta WHERE key = 'usage_from'", nil, &usageFrom); err != nil {
		return false, err
	}
	before, open, rss := spread(all), row.flags, row.rss
	row.flags |= flagOpen // so that it is told anything
	when, diff := row.tell(r)
	row.flags = open
	if dayOf(when) < usageFrom {
		return false, nil
	}
	point := lateTold(r, row.start, when)
	all = append(all, point)
	after := spread(all)
	t.book(row, when, &sums{rss: diff.rss})
	for _, p := range all { // each day that anything can move from or to is one of theirs
		day := dayOf(p.at)
		moved := *after[day]
		moved.sub(before[day])
		if moved != (sums{}) {
			changed = true
			t.book(row, p.at, &moved)
		}
		before[day] = after[day]
	}
	if !changed && row.rss == rss {
		return false, nil
	}
	if err := t.note(row.id, point); err != nil {
		return false, err
	}
	return true, t.updateRun(row)
}

// lateTold is what a checkpoint tells by itself.
func lateTold(r *procmon.Record, start, when int64) told {
	var alone runRow
	alone.start, alone.flags = start, flagOpen
	alone.tell(r)
	return alone.told(when)
}

// allTold is what was told of a run, the row's own figures last.
func (t *txn) allTold(row *runRow) ([]told, error) {
	var all []told
	last := row.start + row.elapsed.Int64
	err := t.each("SELECT at, elapsed, user_us, sys_us, read, write FROM t_told WHERE run = ?", []any{row.id}, func(scan func(...any) error) error {
		var p told
		err := scan(&p.at, &p.elapsed, &p.user, &p.sys, &p.read, &p.write)
		last = max(last, p.at)
		all = append(all, p)
		return err
	})
	return append(all, row.told(last)), err
}
