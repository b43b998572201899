package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
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
	woken   *os.File    // the ring's descriptor, to wait for the programs' wake-ups
	hurried atomic.Bool // Run is to hand on what there is now
	asked   bool        // the next turn is to tell all losses, too

	exited   []waiting                 // runs whose processes have exited, oldest first
	unreaped map[captureRunId]struct{} // of those, the ones that are not over
	nextLook procmon.BootNS            // when those may be looked for again
	losses   tally
	books    books
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
	linger    = 50 * time.Millisecond                 // while more comes, so that it comes in batches
	soon      = time.Second                           // after something came: until what is held for its time is surely handed on
	quiet     = 20 * time.Second                      // when nothing comes: in case that a wake-up was missed
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
	next := soon
	for {
		// On whole seconds, as others wake up then too.
		now := time.Now()
		woken, err := s.wait(ctx, now.Truncate(next).Add(next).Sub(now), 1)
		if err != nil {
			return err
		}
		if woken && ctx.Err() == nil {
			if _, err := s.wait(ctx, linger, s.ring.size()/4); err != nil { // the programs wake it then
				return err
			}
		}
		s.asked = s.asked || s.hurried.Load() || ctx.Err() != nil
		if next, err = s.turn(emit); err != nil {
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
	if s.hurried.Swap(false) { // its deadline may have been the one before
		s.asked = true
		return true, nil
	}
	if ctx.Err() != nil {
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

// Hurry has Run hand on what there is now.
func (s *Source) Hurry() {
	s.hurried.Store(true)
	_ = s.woken.SetReadDeadline(time.Unix(1, 0)) // it fails when the source is closed
}

// turn hands on what is in the ring, and what is due, and says after which time
// it wants to do so again when it is not woken.
func (s *Source) turn(emit func(*procmon.Event)) (next time.Duration, err error) {
	at := s.cfg.Clock.Now()
	full := s.ring.waiting() > s.ring.size()/2 // it may have been more than there is room for
	some := s.drain(at, emit)
	s.notePlace()
	// Nothing is lost where nothing comes: an idle node is not asked. Asking takes
	// a dozen system calls.
	s.losses.due = s.losses.due || some
	if s.losses.due && (full || s.asked || at >= s.losses.since+procmon.BootNS(soon)) && s.tellLosses(at, emit) {
		emit(&procmon.Event{Kind: procmon.EventUntold, Time: at})
		if err := s.sweep(emit); err != nil {
			return 0, err
		}
	}
	if err := s.tellExited(at, emit); err != nil {
		return 0, err
	}
	s.mark(at, emit)
	s.asked = false
	if some || s.losses.due || len(s.unreaped) > 0 {
		return soon, nil
	}
	return quiet, nil
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
