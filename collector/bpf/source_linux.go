package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"procmon"
)

// Source is the set of programs with their ring. They work from Open on.
type Source struct {
	cfg     Config
	progs   *programs
	ring    *ring
	place   uint64 // in the ring, noted last
	decoder *decoder
	woken   *os.File // the ring's descriptor, to wait for the programs' wake-ups

	exited   []waiting                 // runs whose processes have exited, oldest first
	unreaped map[captureRunId]struct{} // of those, the ones that are not over
	nextLook procmon.BootNS            // when those may be looked for again
	losses   tally
	books    books
}

// waiting is a run that has until the deadline to be reaped.
type waiting struct {
	id       captureRunId
	deadline procmon.BootNS
	again    bool // it was waited for before
}

// Open loads the programs. It fails with ErrUnavailable where the kernel can't.
func Open(cfg Config) (*Source, error) {
	s := &Source{cfg: cfg, unreaped: map[captureRunId]struct{}{}, books: newBooks()}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Source) open() (err error) {
	s.decoder = newDecoder(s.cfg.Boot, s.cfg.KeepEnv, readHierarchies)
	if s.progs, err = load(&s.cfg); err != nil {
		s.progs = nil
		return err
	}
	if s.ring, err = openRing(s.progs.Ring.FD(), int(s.progs.Ring.MaxEntries())); err != nil {
		return err
	}
	if s.woken, err = pollable(s.progs.Ring.FD()); err != nil {
		return err
	}
	s.losses = tally{since: s.cfg.Clock.Now(), due: true}
	return nil
}

func readHierarchies() map[uint32]hierarchy {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return map[uint32]hierarchy{} // cgroups are missing then, and said to be
	}
	return parseHierarchies(b)
}

// Readers is the number of the source's readers.
func (s *Source) Readers() int { return 1 }

// Finals is false: the books of runs are kept in the kernel.
func (s *Source) Finals() bool { return false }

// Close gives back what Open took; Run must have returned. Pinned programs go
// on.
func (s *Source) Close() error {
	var errs []error
	if s.ring != nil {
		errs = append(errs, s.ring.close())
	}
	if s.woken != nil {
		errs = append(errs, s.woken.Close())
	}
	if s.progs != nil {
		errs = append(errs, s.progs.close())
	}
	return errors.Join(errs...)
}

const (
	linger    = 50 * time.Millisecond // while more comes, so that it comes in batches
	idle      = time.Second
	reapTime  = 2 * procmon.BootNS(time.Second)       // what a parent has for reaping, before a run is told without
	markEvery = 512                                   // records: so that those of a full ring need not all be held
	lookShare = 20                                    // one part in so many of the time is spent on going through all processes
	markSlack = 20 * procmon.BootNS(time.Millisecond) // how much older than its place in the ring a record's time may be
)

// Run reads the ring until ctx ends.
func (s *Source) Run(ctx context.Context, emit func(*procmon.Event)) error {
	defer context.AfterFunc(ctx, func() { _ = s.woken.SetReadDeadline(time.Unix(1, 0)) })()
	if err := s.catchUp(emit); err != nil {
		return err
	}
	for {
		// On whole seconds, as others wake up then too.
		now := time.Now()
		woken, err := s.wait(ctx, now.Truncate(idle).Add(idle).Sub(now), 1)
		if err != nil {
			return err
		}
		if woken && ctx.Err() == nil {
			if _, err := s.wait(ctx, linger, s.ring.size()/4); err != nil { // the programs wake it then
				return err
			}
		}
		if err := s.turn(emit); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// wait returns when the programs wake it, when some bytes wait already, when the
// source is to stop, or when time is up.
func (s *Source) wait(ctx context.Context, d time.Duration, some uint64) (woken bool, err error) {
	if err := s.woken.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false, fmt.Errorf("ring: %w", err)
	}
	if ctx.Err() != nil { // its deadline may have been the one before
		return true, nil
	}
	conn, err := s.woken.SyscallConn()
	if err != nil {
		return false, fmt.Errorf("ring: %w", err)
	}
	asked := false // once it waits, only a new wake-up ends that
	err = conn.Read(func(uintptr) bool {
		done := asked || s.ring.waiting() >= some
		asked = true
		return done
	})
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, fmt.Errorf("ring: %w", err)
	}
	return err == nil, nil
}

// turn hands on what is in the ring, and what is due.
func (s *Source) turn(emit func(*procmon.Event)) error {
	at := s.cfg.Clock.Now()
	some := s.drain(at, emit)
	s.notePlace()
	// Nothing is lost where nothing comes: an idle node is not asked.
	if (some || s.losses.due) && s.tellLosses(at, emit) {
		emit(&procmon.Event{Kind: procmon.EventUntold, Time: at})
		if err := s.sweep(emit); err != nil {
			return err
		}
	}
	if err := s.tellExited(at, emit); err != nil {
		return err
	}
	s.mark(at, emit)
	return nil
}

// mark says that all is handed on that came into the ring before a time.
func (s *Source) mark(at procmon.BootNS, emit func(*procmon.Event)) {
	emit(&procmon.Event{Kind: procmon.EventMark, Time: at - min(at, markSlack)})
}

// drain hands on every record that is in the ring, and says whether there was one.
func (s *Source) drain(at procmon.BootNS, emit func(*procmon.Event)) bool {
	wall := s.cfg.Clock.Wall(at)
	n := 0
	s.ring.each(func(b []byte) {
		s.hand(b, at, wall, emit)
		if n++; n%markEvery == 0 {
			if head, _, ok := take[captureHead](b); ok {
				s.mark(procmon.BootNS(head.Time), emit)
			}
		}
	})
	return n > 0
}

// CanWait says whether at least a quarter of the ring is free.
func (s *Source) CanWait() bool { return s.ring.waiting() <= s.ring.size()/4*3 }

// hand turns one record into events.
func (s *Source) hand(b []byte, at procmon.BootNS, wall time.Time, emit func(*procmon.Event)) {
	head, rest, ok := take[captureHead](b)
	if !ok {
		return
	}
	switch head.Kind {
	case kindExec:
		x, err := s.decoder.exec(b)
		if err != nil {
			s.cfg.Logger.Error("a record of the kernel's programs can't be read", "error", err)
			return
		}
		s.exec(x, at, wall, emit) // first: what begins is of the same parent and job as what it replaces
		if x.ownerOver != nil {
			s.over(x.owner, procmon.BootNS(head.Time), x.ownerOver, nil, emit)
		}
	case kindExited:
		s.expect(head.Run, procmon.BootNS(head.Time), false)
		emit(&procmon.Event{Kind: procmon.EventExited, Time: procmon.BootNS(head.Time), Run: head.Run.id()})
	case kindOver:
		if o, _, ok := take[captureOver](rest); ok {
			s.cfg.Ancestors.Exit(int32(head.Run.Pid))
			s.over(head.Run, procmon.BootNS(head.Time), &o, nil, emit)
		}
	}
}

func (s *Source) exec(x *execution, at procmon.BootNS, wall time.Time, emit func(*procmon.Event)) {
	p := x.process
	p.Time = wall.Add(time.Duration(int64(p.Run.Exec) - int64(at)))
	s.complete(x)
	s.cfg.Ancestors.Complete(p, x.chain)
	p.Ancestors = x.chain
	s.cfg.Ancestors.Exec(p)
	emit(&procmon.Event{Kind: procmon.EventExec, Time: p.Run.Exec, Proc: p.Run.Process, Process: p})
}

// complete reads what there was no room for in the record, if the process is
// still there.
func (s *Source) complete(x *execution) {
	p := x.process
	if p.Missing == 0 && !x.envCut {
		return
	}
	now, err := s.cfg.Read(p.Run.Process.PID)
	if err != nil || !now.Run.Process.Same(p.Run.Process) || now.Comm != p.Comm {
		if x.envCut {
			p.Missing |= procmon.MissingEnv
		}
		return
	}
	if x.envCut || p.Missing&procmon.MissingEnv != 0 {
		p.Env = now.Env
	}
	if p.Missing&procmon.MissingArgs != 0 {
		p.Args, p.ArgsBytes, p.ArgsCount = now.Args, now.ArgsBytes, now.ArgsCount
	}
	if p.Missing&procmon.MissingExe != 0 {
		p.Exe, p.ExeDeleted = now.Exe, now.ExeDeleted
	}
	if p.Missing&procmon.MissingCwd != 0 {
		p.Cwd = now.Cwd
	}
	if p.Missing&procmon.MissingCgroup != 0 {
		p.Cgroups = now.Cgroups
	}
	p.Missing = now.Missing & (p.Missing | procmon.MissingEnv)
}

// over tells once that a run is over.
func (s *Source) over(id captureRunId, at procmon.BootNS, o *captureOver, known *procmon.Process, emit func(*procmon.Event)) {
	delete(s.unreaped, id)
	e := o.end(at, id.id())
	e.Over.Process = known
	if s.books.tell(e.Run, id) {
		emit(&e)
	}
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
