package collector

import (
	"bytes"
	"cmp"
	"slices"

	"procmon"
)

// Restore tells Live what an earlier collector knew, before anything else, and
// when that one surely still looked. Processes that the first census does not
// meet ended unseen, at that time.
func (l *Live) Restore(runs []procmon.LiveRun, seen procmon.BootNS) {
	l.seen = seen
	for i := range runs {
		r := &run{Run: runs[i].Run, booked: runs[i].Booked, startSent: !runs[i].Silent, told: runs[i].Told}
		r.measured = r.booked != procmon.Usage{}
		if l.cfg.Books {
			l.runs[r.Process.Run] = r
			l.restored = append(l.restored, r)
			l.open(r)
			continue
		}
		for _, o := range runs[i].Owned {
			pr := l.own(r, o.ID, o.Since)
			pr.unmet = true
			if o.ID.Same(r.Process.Run.Process) {
				r.first = pr
			}
		}
		if r.owned > 0 {
			l.restored = append(l.restored, r)
			l.open(r)
		}
	}
}

// found joins a process that is alive to the run that it belongs to, or makes
// it a run whose beginning was not seen.
func (l *Live) found(e *procmon.Event) {
	if l.cfg.Books {
		l.foundBooked(e)
		return
	}
	p := e.Process
	pr := l.procs[p.Run.Process.PID]
	if p.Missing&procmon.MissingStat != 0 { // alive, and that is all that can be said
		if pr != nil {
			pr.scan, pr.unmet = l.scan, false
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
		pr.scan, pr.unmet = l.scan, false
		if p.NoExec || (pr.run.first == pr && sameImage(pr.run.Process, p)) {
			return
		}
		// Its execve was lost: a run of which only the process is known.
		// What the process used since then is counted for it.
		parent, job := l.origin(p, pr)
		since := pr.since
		pr.run.Unknown = pr.run.Unknown || pr.run.first == pr
		l.leave(pr, since, e.Time)
		late := *p
		late.Run.Exec, late.Time = e.Time, l.cfg.Wall(e.Time)
		l.begin(&late, parent, job, since, true)
		return
	}
	if !p.NoExec {
		parent, job := l.origin(p, nil)
		l.begin(p, parent, job, procmon.Counters{}, true)
		return
	}
	if up := l.procs[p.PPID]; up != nil {
		l.own(up.run, p.Run.Process, procmon.Counters{})
		return
	}
	l.orphans = append(l.orphans, *e)
}

// sameImage says whether a process still is what it was. Arguments don't count:
// programs rewrite them to show a title.
func sameImage(a, b *procmon.Process) bool {
	return a.Exe == b.Exe || a.Missing&procmon.MissingExe != 0 || b.Missing&procmon.MissingExe != 0
}

// settle closes a census: children whose parents it did not meet, saved runs
// that are gone, processes whose exit was lost.
func (l *Live) settle(e *procmon.Event) {
	if l.cfg.Books {
		l.settleBooked(e)
		return
	}
	for i := range l.orphans {
		l.adoptOrphan(&l.orphans[i])
	}
	l.orphans = nil
	l.restored = nil
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
	if r := l.forkedFrom(p); r != nil {
		l.own(r, p.Run.Process, procmon.Counters{})
		return
	}
	if len(p.Ancestors) > 0 && p.Ancestors[0].Exe == p.Exe {
		return // its parent lives and is no run: a program of root's that took a user's id
	}
	l.begin(p, procmon.RunID{}, procmon.Job{}, procmon.Counters{}, true)
}

// forkedFrom finds, among the runs of an earlier collector, the one that a
// process was forked from while nobody looked: a forked child has its parent's
// image and arguments to the letter. Of several the one of its session.
func (l *Live) forkedFrom(p *procmon.Process) *run {
	var best *run
	for _, r := range l.restored {
		q := r.Process
		if q.UID != p.UID || q.Exe != p.Exe || !bytes.Equal(q.Args, p.Args) || !r.End.IsZero() {
			continue
		}
		if best == nil || q.SID == p.SID {
			best = r
		}
	}
	return best
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
			runs = append(runs, procmon.LiveRun{Run: pr.run.Run, Booked: pr.run.booked, Silent: !pr.run.startSent, Told: pr.run.told})
		}
		runs[i].Owned = append(runs[i].Owned, procmon.Owned{ID: pr.id, Since: pr.since})
	}
	for id, r := range l.runs {
		if id == r.Process.Run { // not under the id of books begun anew
			first := procmon.Owned{ID: id.Process, Since: r.Process.Before}
			runs = append(runs, procmon.LiveRun{Run: r.Run, Booked: r.booked, Silent: !r.startSent, Told: r.told, Owned: []procmon.Owned{first}})
		}
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
