package collector

import (
	"cmp"
	"slices"

	"procmon"
)

// Restore tells Live what an earlier collector knew, before the first census.
// Runs of which that census finds no process have ended unseen.
func (l *Live) Restore(runs []procmon.LiveRun) {
	for i := range runs {
		r := &run{Run: runs[i].Run, booked: runs[i].Booked, startSent: !runs[i].Silent}
		r.measured = r.booked != procmon.Usage{}
		l.savedRuns = append(l.savedRuns, r)
		for _, o := range runs[i].Owned {
			first := o.ID.Same(r.Process.Run.Process)
			l.saved[o.ID.PID] = &savedProc{id: o.ID, run: r, first: first, since: o.Since}
		}
	}
}

// found joins a process that is alive to the run that it belongs to, or makes
// it a run whose beginning was not seen.
func (l *Live) found(e *procmon.Event) {
	p := e.Process
	pr := l.procs[p.Run.Process.PID]
	if p.Missing&procmon.MissingStat != 0 { // alive, and that is all that can be said
		if pr != nil {
			pr.scan = l.scan
		} else {
			l.unread++
		}
		return
	}
	if pr != nil && !pr.id.Same(p.Run.Process) {
		l.lost(pr, e.Time)
		pr = nil
	}
	if pr != nil {
		pr.scan = l.scan
		if p.NoExec || (pr.run.first == pr && sameImage(pr.run.Process, p)) {
			return
		}
		// Its execve was lost: a run of which only the process is known.
		parent, job := l.origin(p, pr)
		pr.run.Unknown = true
		l.leave(pr, pr.since, e.Time)
		l.adopt(p, parent, job)
		return
	}
	if l.resume(p) {
		return
	}
	if !p.NoExec {
		parent, job := l.origin(p, nil)
		l.adopt(p, parent, job)
		return
	}
	if up := l.procs[p.PPID]; up != nil {
		l.own(up.run, p.Run.Process, procmon.Counters{})
		return
	}
	l.orphans = append(l.orphans, *e)
}

func (l *Live) adopt(p *procmon.Process, parent procmon.RunID, job procmon.Job) {
	l.begin(p, parent, job, procmon.Counters{})
}

// resume goes on with a run of an earlier collector.
func (l *Live) resume(p *procmon.Process) bool {
	s := l.saved[p.Run.Process.PID]
	if s == nil || !s.id.Same(p.Run.Process) {
		return false
	}
	delete(l.saved, p.Run.Process.PID)
	if s.first && !sameImage(s.run.Process, p) || !s.first && !p.NoExec {
		return false // it exec'ed while nobody looked
	}
	pr := l.own(s.run, p.Run.Process, s.since)
	if s.first {
		s.run.first = pr
	}
	if s.run.owned == 1 {
		l.jobs[s.run.Job.Key()]++
		l.changes = append(l.changes, Change{run: s.run})
	}
	return true
}

// sameImage says whether a process still is what it was. Arguments don't count:
// programs rewrite them to show a title.
func sameImage(a, b *procmon.Process) bool {
	return a.Exe == b.Exe || a.Missing&procmon.MissingExe != 0 || b.Missing&procmon.MissingExe != 0
}

// settle closes a census: children whose parents it did not meet, saved runs
// that are gone, processes whose exit was lost.
func (l *Live) settle(e *procmon.Event) {
	for i := range l.orphans {
		l.adoptOrphan(&l.orphans[i])
	}
	l.orphans = nil
	for _, r := range l.savedRuns {
		if r.owned == 0 && r.End.IsZero() {
			r.Unknown = true
			l.jobs[r.Job.Key()]++
			l.end(r, e.Time)
		}
	}
	l.savedRuns = nil
	clear(l.saved)
	var gone []*proc
	for _, pr := range l.procs {
		if pr.scan != l.scan && !pr.exited {
			gone = append(gone, pr)
		}
	}
	// In a fixed order, so that the same events give the same records.
	slices.SortFunc(gone, func(a, b *proc) int { return cmp.Compare(a.id.PID, b.id.PID) })
	for _, pr := range gone {
		l.lost(pr, e.Time)
	}
}

// adoptOrphan finds the run of a forked process whose parent has ended: by its
// session and image among the saved runs, else it is a run of its own.
func (l *Live) adoptOrphan(e *procmon.Event) {
	p := e.Process
	if l.procs[p.Run.Process.PID] != nil {
		return
	}
	if up := l.procs[p.PPID]; up != nil {
		l.own(up.run, p.Run.Process, procmon.Counters{})
		return
	}
	for _, r := range l.savedRuns {
		if r.Process.SID == p.SID && r.Process.UID == p.UID && r.Process.Exe == p.Exe && r.End.IsZero() {
			l.own(r, p.Run.Process, procmon.Counters{})
			if r.owned == 1 {
				l.jobs[r.Job.Key()]++
				l.changes = append(l.changes, Change{run: r})
			}
			return
		}
	}
	l.adopt(p, procmon.RunID{}, procmon.Job{})
}

// Snapshot gives every live run as it is to be kept over a restart.
func (l *Live) Snapshot() []procmon.LiveRun {
	index := map[*run]int{}
	var runs []procmon.LiveRun
	for _, pr := range l.procs {
		i, ok := index[pr.run]
		if !ok {
			i = len(runs)
			index[pr.run] = i
			runs = append(runs, procmon.LiveRun{Run: pr.run.Run, Booked: pr.run.booked, Silent: !pr.run.startSent})
		}
		runs[i].Owned = append(runs[i].Owned, procmon.Owned{ID: pr.id, Since: pr.since})
	}
	for i := range runs {
		slices.SortFunc(runs[i].Owned, func(a, b procmon.Owned) int { return cmp.Compare(a.ID.PID, b.ID.PID) })
	}
	slices.SortFunc(runs, func(a, b procmon.LiveRun) int {
		return cmp.Or(cmp.Compare(a.Run.Process.Run.Process.Start, b.Run.Process.Run.Process.Start),
			cmp.Compare(a.Run.Process.Run.Process.PID, b.Run.Process.Run.Process.PID))
	})
	return runs
}
