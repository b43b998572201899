package bpf

import (
	"procmon"
)

// The ends of runs that no record of the ring tells: processes that are not
// reaped, or not seen freed, and what happened while nobody read the ring.

// waiting is a run that has until the deadline to be reaped.
type waiting struct {
	id       captureRunId
	deadline procmon.BootNS
	again    bool // it was waited for before
}

// tellExited tells of the runs whose processes have exited and were not reaped
// in time: they are over with what they had used when they exited, and taken
// from the books as others are, so that a process that is never reaped keeps no
// place there. Those that were reaped are told when they are freed; if that is
// not seen either, they are over likewise.
func (s *Source) tellExited(at procmon.BootNS, emit func(*procmon.Event)) error {
	if at < s.nextLook {
		return nil
	}
	due := s.due(at)
	if len(due) == 0 {
		return nil
	}
	defer func() { s.nextLook = at + lookShare*(s.cfg.Clock.Now()-at) }()
	ids := make([]captureRunId, len(due))
	again := make(map[captureRunId]bool, len(due))
	for i := range due {
		ids[i] = due[i].id
		again[due[i].id] = due[i].again
	}
	runs, err := s.unfreed(ids)
	unseen := uint64(0) // freed, and not seen to be
	for i := range runs {
		x := &runs[i]
		if x.reaped && !again[x.id] {
			s.expect(x.id, at, true)
			continue
		}
		e := x.over.end(at, x.id.id())
		e.Over.Process, e.Over.Provisional = x.known, true
		if !s.books.tell(e.Run, x.id) {
			continue
		}
		emit(&e)
		if x.reaped {
			unseen++
		}
	}
	if unseen > 0 { // what a short program has used is booked after its exit only
		emit(&procmon.Event{Kind: procmon.EventLost, Time: at, Loss: &procmon.Loss{
			Count: unseen, CPU: -1, From: s.cfg.Clock.Wall(at - min(at, 3*reapTime)), To: s.cfg.Clock.Wall(at), Reason: procmon.LossUsage, Where: Name + " (missed)",
		}})
	}
	return err
}

// expect gives a run whose processes have exited time to be over.
func (s *Source) expect(id captureRunId, at procmon.BootNS, again bool) {
	s.unreaped[id] = struct{}{}
	s.exited = append(s.exited, waiting{id, at + reapTime, again})
}

// due takes those whose time is up and that are not over.
func (s *Source) due(at procmon.BootNS) []waiting {
	var due []waiting
	n := 0
	for ; n < len(s.exited) && s.exited[n].deadline <= at; n++ {
		if _, ok := s.unreaped[s.exited[n].id]; ok {
			delete(s.unreaped, s.exited[n].id)
			due = append(due, s.exited[n])
		}
	}
	s.exited = s.exited[:copy(s.exited, s.exited[n:])]
	return due
}

// catchUp tells what happened while no daemon looked: first the executions that
// the ring kept, those that an earlier daemon had read and not told too, then what the books say of runs that are over.
func (s *Source) catchUp(emit func(*procmon.Event)) error {
	if !s.progs.taken {
		return nil
	}
	at := s.cfg.Clock.Now()
	wall := s.cfg.Clock.Wall(at)
	type ended struct {
		head captureHead
		over captureOver
	}
	var overs []ended
	s.replay(func(x *execution) { s.exec(x, at, wall, emit) })
	s.ring.each(func(b []byte) {
		head, rest, _ := take[captureHead](b)
		switch head.Kind {
		case kindExec:
			if x, err := s.decoder.exec(b); err == nil {
				s.exec(x, at, wall, emit)
			}
		case kindOver:
			if o, _, ok := take[captureOver](rest); ok {
				overs = append(overs, ended{head, o})
			}
		}
	})
	if err := s.sweep(emit); err != nil {
		return err
	}
	for i := range overs { // those without books are told by the ring alone
		s.over(overs[i].head.Run, procmon.BootNS(overs[i].head.Time), &overs[i].over, nil, emit)
	}
	return nil
}

// sweep goes through the books for what the ring had no room to tell.
func (s *Source) sweep(emit func(*procmon.Event)) error {
	s.books.sweep(true)
	defer s.books.sweep(false)
	at := s.cfg.Clock.Now()
	return s.eachRun(func(id *captureRunId, r *captureRun) {
		switch {
		case r.Flags&runOver != 0:
			// Told as of then: a census that is going on may be younger.
			o := r.over()
			s.over(*id, procmon.BootNS(r.Last), &o, s.known(id, r), emit)
		case r.Alive == 0:
			if _, ok := s.unreaped[*id]; ok || s.books.knows(id.id()) {
				return // told before: sweeps may follow each other closely
			}
			s.expect(*id, at, false)
			emit(&procmon.Event{Kind: procmon.EventExited, Time: procmon.BootNS(r.Last), Run: id.id()})
		}
	})
}

// known is what the books know of a run's process.
func (s *Source) known(id *captureRunId, r *captureRun) *procmon.Process {
	p := &procmon.Process{
		Run: id.id(), Boot: s.cfg.Boot, UID: r.Uid, EUID: procmon.NoUID, GID: procmon.NoUID, LoginUID: procmon.NoUID,
		Comm: string(cstring(r.Comm[:])), Missing: procmon.MissingAll &^ (procmon.MissingStat | procmon.MissingStatus),
	}
	began := p.Run.Exec
	if began == 0 {
		began = procmon.BootNS(id.Start)
	}
	p.Time = s.cfg.Clock.Wall(began)
	return p
}
