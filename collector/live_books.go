package collector

import (
	"cmp"
	"slices"

	"procmon"
)

// A source that keeps the books of runs itself tells when one is over, and what
// it used. Live then knows no processes, only runs.

// Untold is a run that was over before anything but that could be known of it.
type Untold struct {
	CPU int // where it began, -1: not known
	At  procmon.BootNS
}

// Untold gives, and forgets, the runs of which the source could not tell the
// execve, and that no census found alive.
func (l *Live) Untold() []Untold {
	lost := l.untold
	l.untold = nil
	return lost
}

// Settled gives, and forgets, the runs that are over and not recorded: the
// source need not keep them.
func (l *Live) Settled() []procmon.RunID {
	ids := l.settled
	l.settled = nil
	return ids
}

// execBooked begins a run; that of the process until then is told apart.
func (l *Live) execBooked(p *procmon.Process) {
	if l.runs[p.Run] != nil {
		return // told again after a restart
	}
	var parent procmon.RunID
	var job procmon.Job
	if from := l.runs[p.Owner]; from != nil {
		job = from.Job
		if p.Owner.Process == p.Run.Process { // it execs again
			parent = from.Parent
			l.misread(from, p.Run.Exec)
		} else {
			parent = from.Process.Run
		}
	}
	l.begin(p, parent, job, p.Before, false)
}

// over ends a run as its books say.
func (l *Live) over(e *procmon.Event) {
	if _, closed := l.closed[e.Run]; closed {
		l.dismiss(e)
		return
	}
	r := l.runs[e.Run]
	if r == nil && e.Over.Untold {
		l.untold = append(l.untold, Untold{e.Over.CPU, e.Run.Exec})
	} else if r == nil && !e.Over.Untold {
		r = l.recover(e)
	}
	if r == nil {
		l.dismiss(e)
		return
	}
	l.close(r, e)
}

// dismiss lets the source forget a run of which nothing is told.
func (l *Live) dismiss(e *procmon.Event) {
	delete(l.closed, e.Run)
	l.settled = append(l.settled, e.Run)
}

// recover begins a run that has ended, of which an earlier collector knew more
// and was killed before it told. One without an execve was alive before the
// source and gone before a census met it.
func (l *Live) recover(e *procmon.Event) *run {
	if e.Over.Process == nil || e.Run.Exec == 0 {
		return nil
	}
	return l.begin(e.Over.Process, procmon.RunID{}, procmon.Job{}, procmon.Counters{}, true)
}

// exited notes that a run will be over soon.
func (l *Live) exited(e *procmon.Event) {
	if r := l.runs[e.Run]; r != nil {
		r.last = e.Time
		l.exiting = append(l.exiting, exiting{e.Run, e.Time})
	}
}

// Exiting gives the exit of the first run that has exited and is not over;
// never: there is none.
func (l *Live) Exiting() procmon.BootNS {
	n := 0
	for n < len(l.exiting) && l.runs[l.exiting[n].run] == nil {
		n++
	}
	if l.exiting = l.exiting[n:]; len(l.exiting) == 0 {
		l.exiting = nil
		return never
	}
	return l.exiting[0].at
}

func (l *Live) close(r *run, e *procmon.Event) {
	if e.Over.Waited {
		exit := procmon.ParseWait(e.Over.Wait)
		r.Exit = &exit
	}
	r.booked, r.measured = e.Over.Usage, true
	r.Provisional, r.last = e.Over.Provisional, e.Over.Ended
	delete(l.runs, e.Run)
	delete(l.runs, r.Process.Run)
	l.end(r)
	if r.void { // nothing is recorded of it
		l.settled = append(l.settled, e.Run)
	}
	l.Exiting() // so that the list stays short
}

// foundBooked joins a process that is alive to its run, or begins that one when
// it is not known.
func (l *Live) foundBooked(e *procmon.Event) {
	p := e.Process
	if _, closed := l.closed[p.Owner]; closed || l.runs[p.Owner] != nil {
		return
	}
	switch r := l.restoredOf(p.Owner); {
	case p.Owner == procmon.RunID{}:
		// It began after the owners were asked for, and is told by its execve.
	case p.Missing&procmon.MissingStat != 0:
		l.unread++
	case r != nil:
		l.runs[p.Owner], r.renamed = r, p.Owner // the books were begun anew: its own id is that of before
	case p.Owner.Process != p.Run.Process:
		l.orphans = append(l.orphans, *e) // its run's first process may still be found
	default:
		l.adoptBooked(p)
	}
}

func (l *Live) adoptBooked(p *procmon.Process) {
	late := *p
	late.Run = p.Owner
	if late.Run.Exec != 0 {
		late.Time = l.cfg.Wall(late.Run.Exec)
	}
	l.begin(&late, procmon.RunID{}, procmon.Job{}, procmon.Counters{}, true)
}

// restoredOf finds the run that an earlier collector knew by its first process,
// when its books were begun anew.
func (l *Live) restoredOf(owner procmon.RunID) *run {
	if owner.Exec != 0 {
		return nil
	}
	if l.restoredBy == nil {
		l.restoredBy = make(map[int32][]*run, len(l.restored))
		for _, r := range l.restored {
			pid := r.Process.Run.Process.PID
			l.restoredBy[pid] = append(l.restoredBy[pid], r)
		}
	}
	for _, r := range l.restoredBy[owner.Process.PID] {
		if r.End.IsZero() && r.Process.Run.Process.Same(owner.Process) {
			return r
		}
	}
	return nil
}

// settleBooked closes a census: runs that the books do not know ended unseen.
func (l *Live) settleBooked(e *procmon.Event) {
	for i := range l.orphans {
		if p := l.orphans[i].Process; l.runs[p.Owner] == nil {
			l.adoptBooked(p)
		}
	}
	for id := range l.closed {
		if _, ok := e.Books[id]; !ok && id.Exec < e.Asked {
			delete(l.closed, id) // its end found no way here
		}
	}
	known := map[*run]bool{}
	for id, r := range l.runs {
		if _, ok := e.Books[id]; ok || r.Process.Run.Exec >= e.Asked {
			known[r] = true
		}
	}
	var gone []*run
	for _, r := range l.runs {
		if !known[r] {
			known[r] = true // it may be there by two ids
			gone = append(gone, r)
		}
	}
	restored := make(map[*run]bool, len(l.restored))
	for _, r := range l.restored {
		restored[r] = true
	}
	// In a fixed order, so that the same events give the same records.
	slices.SortFunc(gone, func(a, b *run) int { return compareRuns(a.Process.Run, b.Process.Run) })
	for _, r := range gone {
		at := e.Time
		if restored[r] {
			at = l.seen
		}
		l.vanish(r, at)
	}
	l.orphans, l.restored, l.restoredBy = nil, nil, nil
}

func compareRuns(a, b procmon.RunID) int {
	return cmp.Or(cmp.Compare(a.Process.Start, b.Process.Start), cmp.Compare(a.Process.PID, b.Process.PID), cmp.Compare(a.Exec, b.Exec))
}

// vanish ends a run of whose end nothing is known.
func (l *Live) vanish(r *run, at procmon.BootNS) {
	r.Unknown = true
	r.last = at
	l.usageLost++
	delete(l.runs, r.Process.Run)
	delete(l.runs, r.renamed)
	l.end(r)
}
