package index

import (
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"procmon"
)

// runRow is a row of t_run in memory. Of a row that was read only the columns
// that later records change or refer to are filled.
type runRow struct {
	id, host, step, user, identity int64
	pid                            int32
	start                          int64 // the run's own; id may lie a little higher
	ppid, parent, task, euid       any
	command                        int64
	elapsed, userCPU, sysCPU, rss  sql.NullInt64
	read, write, exit              sql.NullInt64
	flags                          runFlag
	missing                        procmon.Missing
}

// newRun resolves what a run refers to.
func (t *txn) newRun(r *procmon.Record, start int64) (row *runRow, err error) {
	run, p := r.Run, r.Run.Process
	day := dayOf(start)
	row = &runRow{id: start, start: start, pid: p.Run.Process.PID, missing: p.Missing, parent: parentOf(run), task: taskOf(run.Job.Task)}
	if p.PPID > 0 {
		row.ppid = int64(p.PPID)
	}
	if p.EUID != p.UID {
		row.euid = int64(p.EUID)
	}
	if row.host, err = t.host(r.Host); err != nil {
		return nil, err
	}
	if row.user, err = t.user(p.UID, run.UserName); err != nil {
		return nil, err
	}
	job, err := t.jobOf(&run.Job, row.host, claimOf(run))
	if err != nil {
		return nil, err
	}
	if row.step, err = t.step(job, run.Job.Step); err != nil {
		return nil, err
	}
	if row.identity, err = t.identity(&run.Application, scriptOf(run.Application.Script, run.Job.RawID), p.Exe, day); err != nil {
		return nil, err
	}
	var cut bool
	t.w.line, cut = commandLine(t.w.line[:0], p.Args)
	row.flags = flagsOf(run, true, cut || p.ArgsBytes > len(p.Args))
	row.command, err = t.command(t.w.line, day)
	return row, err
}

// tell takes over what a record says of a run that was open until now. It
// gives the time to which the record speaks, and what was not yet booked.
func (row *runRow) tell(r *procmon.Record) (when int64, diff *sums) {
	run := r.Run
	closes := r.Phase == procmon.Whole || r.Phase == procmon.End
	when = max(row.start, r.Time.UnixMicro())
	ended := closes && !run.End.IsZero()
	if ended {
		when = max(row.start, run.End.UnixMicro())
	}
	diff = &sums{}
	if r.Phase == procmon.Start {
		return when, diff
	}
	if ended || !closes {
		raise(&row.elapsed, when-row.start, &diff.elapsed)
	}
	if u := run.Usage; u != nil {
		raise(&row.userCPU, u.User.Microseconds(), &diff.user)
		raise(&row.sysCPU, u.System.Microseconds(), &diff.sys)
		raise(&row.read, bytesOf(u.Read), &diff.read)
		raise(&row.write, bytesOf(u.Write), &diff.write)
		if rss := rssOf(u); rss > 0 {
			raise(&row.rss, rss, new(int64))
			diff.rss = rss // a maximum is no sum: each day has what was told on it
		}
	}
	if closes {
		row.flags &^= flagOpen
		if run.Unknown {
			row.flags |= flagUnknown
		}
		if run.Provisional {
			row.flags |= flagProvisional
		}
		row.exit = exitOf(run.Exit)
		if row.exit.Int64 != 0 {
			diff.failed = 1
		}
	}
	return when, diff
}

// past says whether a record is a checkpoint of a time that is told already.
func (row *runRow) past(r *procmon.Record) bool {
	return r.Phase == procmon.Checkpoint && row.elapsed.Valid && r.Time.UnixMicro()-row.start <= row.elapsed.Int64
}

// raise moves a counter up, never down, and tells by how much.
func raise(c *sql.NullInt64, to int64, diff *int64) {
	to = max(c.Int64, to)
	*diff = to - c.Int64
	*c = sql.NullInt64{Int64: to, Valid: true}
}

// exitOf packs how a run ended into one number: a code up to 255, or 256 and
// the signal's number.
func exitOf(e *procmon.Exit) sql.NullInt64 {
	if e == nil {
		return sql.NullInt64{}
	}
	n := int64(e.Code & 0xff)
	if e.Signal != 0 {
		n = 256 + int64(e.Signal&0x7f)
	}
	return sql.NullInt64{Int64: n, Valid: true}
}

// exitFrom is the inverse of exitOf.
func exitFrom(n int64) procmon.Exit {
	if n > 256 {
		return procmon.Exit{Signal: int(n) - 256}
	}
	return procmon.Exit{Code: int(n)}
}

// parentOf is how long before a run its parent run began; NULL when that is
// not known. Rows of short parents are written after their children's, so that
// a start and a pid are what can name them.
func parentOf(run *procmon.Run) any {
	since, ok := run.SinceParent()
	if !ok {
		return nil
	}
	return since.Microseconds()
}

// taskOf stores task numbers as numbers, which take less room than text.
func taskOf(task string) any {
	if n, err := strconv.ParseUint(task, 10, 31); err == nil && strconv.FormatUint(n, 10) == task {
		return int64(n)
	}
	return known(task)
}

// insertRun makes the row under the first free number from its start on. When
// the same run is met on the way, that row is given back and none is made.
func (t *txn) insertRun(row *runRow) (same *runRow, err error) {
	row.id = row.start
	if err := t.putRun(row); err == nil || !isTaken(err) {
		return nil, err
	}
	id, free, err := t.place(row.start, runOwner{row.host, row.pid})
	switch {
	case err != nil:
		return nil, err
	case id != 0:
		return t.runAt(id, row.start)
	case free == 0:
		return nil, &refusal{fmt.Sprintf("more than %d runs that began at %s", maxShift, time.UnixMicro(row.start).UTC())}
	}
	row.id = free
	return nil, t.putRun(row)
}

func (t *txn) putRun(row *runRow) error {
	return t.exec(`INSERT INTO t_run (id, host, pid, ppid, parent, step, task, user, euid, identity, command,
		elapsed, user_us, sys_us, rss, read, write, exit, flags, missing)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		row.id, row.host, row.pid, row.ppid, row.parent, row.step, row.task, row.user, row.euid, row.identity, row.command,
		row.elapsed, row.userCPU, row.sysCPU, row.rss, row.read, row.write, row.exit, int64(row.flags), int64(row.missing))
}

// probe looks for a run by its start; nil when it has no row.
func (t *txn) probe(start, host int64, pid int32) (*runRow, error) {
	row, err := t.readRun(start)
	if row == nil || err != nil || row.host == host && row.pid == pid {
		return row, err
	}
	id, _, err := t.place(start, runOwner{host, pid})
	if id == 0 || err != nil {
		return nil, err
	}
	return t.runAt(id, start)
}

// runAt reads the row of a run that began at start.
func (t *txn) runAt(id, start int64) (*runRow, error) {
	row, err := t.readRun(id)
	if row != nil {
		row.start = start
	}
	return row, err
}

// readRun reads a row, nil when there is none.
func (t *txn) readRun(id int64) (*runRow, error) {
	row := &runRow{id: id, start: id}
	ok, err := t.get(`SELECT host, pid, step, user, identity, elapsed, user_us, sys_us, rss, read, write, exit, flags FROM t_run WHERE id = ?`,
		[]any{id}, &row.host, &row.pid, &row.step, &row.user, &row.identity, &row.elapsed, &row.userCPU, &row.sysCPU,
		&row.rss, &row.read, &row.write, &row.exit, (*int64)(&row.flags))
	if !ok {
		return nil, err
	}
	return row, nil
}

func (t *txn) updateRun(row *runRow) error {
	err := t.exec(`UPDATE t_run SET elapsed = ?, user_us = ?, sys_us = ?, rss = ?, read = ?, write = ?, exit = ?, flags = ? WHERE id = ?`,
		row.elapsed, row.userCPU, row.sysCPU, row.rss, row.read, row.write, row.exit, int64(row.flags), row.id)
	return err
}
