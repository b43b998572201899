package index

import (
	"fmt"

	"procmon"
)

// Starts outside of this range are no times of runs, and could not be kept
// apart as row numbers.
const (
	minStart = int64(microsADay)
	maxStart = int64(1) << 53
)

// maxShift is how many runs may begin in the same microsecond. Runs found
// alive share starts, since those are told in hundredths of a second.
const maxShift = 1 << 14

func (t *txn) record(r *procmon.Record) error {
	switch {
	case r.Run != nil:
		return t.run(r)
	case r.Loss != nil:
		_, err := t.loss(r)
		return err
	case r.Summary != nil:
		return t.summary(r)
	case r.Status != nil:
		return t.seen(r.Host, r.Time.UnixMicro())
	}
	return &refusal{"a record of nothing"}
}

// loss stores what was not seen, and says whether it was not known.
func (t *txn) loss(r *procmon.Record) (added bool, err error) {
	host, err := t.host(r.Host)
	if err != nil {
		return false, err
	}
	l := r.Loss
	var cpu, count any
	if l.CPU >= 0 {
		cpu = l.CPU
	}
	if l.Count > 0 {
		count = bytesOf(l.Count)
	}
	n, err := t.change(`INSERT OR IGNORE INTO t_loss (host, life, seq, begin, done, cpu, reason, source, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		host, r.Time.UnixNano(), bytesOf(r.Seq), microsOf(l.From), microsOf(l.To), cpu, clean(l.Reason), known(l.Where), count)
	return n > 0, err
}

// startOf is when a record's run began, in µs since the epoch, or why the
// record can't be stored.
func startOf(r *procmon.Record) (int64, error) {
	if r.Run.Process == nil {
		return 0, &refusal{"a run without a process"}
	}
	start := r.Run.Start.UnixMicro()
	if start < minStart || start > maxStart {
		return 0, &refusal{fmt.Sprintf("a run that began at %s", r.Run.Start)}
	}
	if r.Phase > procmon.End {
		return 0, &refusal{fmt.Sprintf("a record of phase %d", r.Phase)}
	}
	return start, nil
}

// run stores what one record tells of a run.
func (t *txn) run(r *procmon.Record) error {
	start, err := startOf(r)
	if err != nil {
		return err
	}
	key := liveKeyOf(r.Boot, r.Run.Process)
	row, err := t.find(r, start, key)
	if err != nil {
		return err
	}
	if row == nil {
		row, err = t.add(r, start)
	} else {
		_, err = t.goOn(r, row)
	}
	if err != nil {
		return err
	}
	if row.flags&flagOpen != 0 {
		return t.keepLive(key, r, row)
	}
	return t.dropLive(key)
}

// find looks for the row of a run that may have one already. A run told in one
// record has none, unless the record is given again: then add finds it.
func (t *txn) find(r *procmon.Record, start int64, key liveKey) (*runRow, error) {
	state, live := t.w.cache.live[key]
	if state.run != 0 {
		if row, err := t.readRun(state.run); row != nil || err != nil {
			if row != nil {
				row.start = start
			}
			return row, err
		}
	}
	if r.Phase == procmon.Whole && !live {
		return nil, nil
	}
	host, err := t.host(r.Host)
	if err != nil {
		return nil, err
	}
	return t.probe(start, host, r.Run.Process.Run.Process.PID)
}

// add makes the row of a run and counts it on the day of its start. When the
// run has a row all the same, that one is told.
func (t *txn) add(r *procmon.Record, start int64) (*runRow, error) {
	row, err := t.newRun(r, start)
	if err != nil {
		return nil, err
	}
	when, diff := row.tell(r)
	other, err := t.insertRun(row)
	if err != nil {
		return nil, err
	}
	if other != nil {
		_, err := t.goOn(r, other)
		return other, err
	}
	t.book(row, start, &sums{runs: 1})
	if r.Phase != procmon.Start {
		t.book(row, when, diff)
	}
	return row, t.noteRun(r, row, when)
}

// goOn brings a run's row up to what r says, and books the difference: the row
// holds what is booked already, on whichever days. A run that has ended stays as
// it is, and one that goes on where a later checkpoint has told of it, but for
// the days that it is booked to. It says whether anything changed.
func (t *txn) goOn(r *procmon.Record, row *runRow) (changed bool, err error) {
	if r.Phase == procmon.Start {
		return false, nil
	}
	if row.flags&flagOpen == 0 || row.past(r) {
		return t.late(r, row)
	}
	folds := t.folds
	if _, err := t.jobOf(&r.Run.Job, row.host, claimOf(r.Run)); err != nil { // more may be known by now
		return false, err
	}
	if t.folds > folds { // the run's own job may be among those moved
		if _, err := t.get("SELECT step FROM t_run WHERE id = ?", []any{row.id}, &row.step); err != nil {
			return false, err
		}
	}
	when, diff := row.tell(r)
	t.book(row, when, diff)
	if err := t.noteRun(r, row, when); err != nil {
		return false, err
	}
	return true, t.updateRun(row)
}

// book adds to the sums of a run's keys on the UTC day of a time.
func (t *txn) book(row *runRow, micros int64, s *sums) {
	s.first = micros % microsADay / 1000
	s.last = s.first
	if day := dayOf(micros); day > dayOf(row.id) {
		t.later[row.identity] = max(t.later[row.identity], day)
	}
	addTo(t.usage, usageKey{dayOf(micros), row.host, row.step, row.user, row.identity}, s)
}
