package collector

import "procmon"

// expire lets go of processes that waited too long for the other half. A
// leader that exits before its threads is still alive then: it waits on.
func (l *Live) expire(now procmon.BootNS) {
	if now < l.expired+l.cfg.FinalWait/16 {
		return // the list is long in a storm, and nothing hurries
	}
	l.expired = now
	kept := l.leaving[:0]
	for _, w := range l.leaving {
		pr := w.proc
		switch {
		case l.procs[pr.id.PID] != pr: // gone as it should
		case now < w.deadline:
			kept = append(kept, w)
		case pr.exited && l.cfg.Alive(pr.id):
			kept = append(kept, leaving{pr, now + 30*l.cfg.FinalWait})
		default:
			l.depart(pr)
		}
	}
	clear(l.leaving[len(kept):])
	l.leaving = kept
}

// depart ends a process of which all is known that ever will be.
func (l *Live) depart(pr *proc) {
	at := pr.exitAt
	if pr.final && (!pr.exited || pr.finalAt > at+1e9) {
		at = pr.finalAt // its threads outlived the leader
	}
	if pr.exited && pr.run.first == pr {
		exit := pr.exit
		pr.run.Exit = &exit
	}
	if pr.final {
		l.leave(pr, pr.used, at)
		return
	}
	if l.cfg.FinalWait != 0 {
		l.usageLost++
	}
	l.leave(pr, pr.since, at)
}

// lost ends a process whose end was not seen.
func (l *Live) lost(pr *proc, at procmon.BootNS) {
	if pr.exited || pr.final {
		l.depart(pr)
		return
	}
	if pr.run.first == pr {
		pr.run.Unknown = true
	}
	l.usageLost++
	if pr.unmet { // it ended unseen
		at = l.seen
	}
	l.leave(pr, pr.since, at)
}

// leave takes a process from its run, with its counters as they are then.
func (l *Live) leave(pr *proc, used procmon.Counters, at procmon.BootNS) {
	r := pr.run
	if l.procs[pr.id.PID] == pr {
		delete(l.procs, pr.id.PID)
	}
	if used != pr.since {
		r.measured = true
		r.booked.Add(used.Since(pr.since))
	} else if pr.final {
		r.measured = true
	}
	if r.first == pr {
		r.first = nil
	}
	r.last = max(r.last, at)
	if r.owned--; r.owned == 0 {
		if r.Exit == nil && !r.Unknown {
			// Counters tell of a process's last image: what this one held, which
			// another execve replaced, nobody knows.
			r.booked.MaxRSS, r.booked.RSSBound = 0, false
		}
		l.end(r)
	}
}

// began is when a run began: found alive, when its process did.
func began(id procmon.RunID) procmon.BootNS {
	if id.Exec != 0 {
		return id.Exec
	}
	return id.Process.Start.BootNS()
}

func (l *Live) end(r *run) {
	r.End = timeOf(r, r.last)
	if r.End.Before(r.told) { // it ended after all that is known of it
		r.End = r.told
	}
	if r.measured {
		usage := r.booked // a copy: the record must not keep all of r in memory
		r.Usage = atLeast(&usage, r.Usage)
	}
	l.liveBytes -= r.cost
	if key := r.Job.Key(); l.jobs[key] > 1 {
		l.jobs[key]--
	} else {
		delete(l.jobs, key)
	}
	if !r.void {
		l.changes = append(l.changes, Change{run: r, ended: true})
	}
}
