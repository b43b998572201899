package procconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// Source is the process connector. Its readers work from Open on, so that what
// starts before Run is read in time, too.
type Source struct {
	cfg     Config
	readers []*reader
	stuck   []*reader // replaced ones, whose last read hangs
	cpus    []int     // usable when last looked
	looked  time.Time
	joined  joined // CPUs that came later
	widened bool   // the first reader still has events of CPUs that came later
	exits   *exits // nil: no taskstats here
	bell    *doorbell
	stop    int // eventfd that ends the readers
	merge   merge
	polled  []unix.PollFd

	parser    *procfs.Parser
	lookup    *procfs.Guard
	ancestry  *procfs.Ancestry
	clock     procfs.Clock
	offset    procmon.BootNS // of CLOCK_BOOTTIME against CLOCK_MONOTONIC
	toldAt    time.Time
	exitsTold tally
}

// Open subscribes to the kernel's events. It fails where the kernel has no
// process connector or the caller may not listen.
func Open(cfg Config) (*Source, error) {
	s := &Source{cfg: cfg, joined: joined{}, parser: procfs.NewParser(), stop: -1, toldAt: time.Now()}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open() (err error) {
	if s.bell, err = newDoorbell(); err != nil {
		return err
	}
	if s.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	s.lookup = procfs.NewGuard(s.cfg.Proc, s.cfg.Env, 4096, lookUpLimit)
	s.ancestry = procfs.NewAncestry(s.lookup.Process)
	if s.cpus = s.cfg.CPUs; s.cpus == nil {
		if s.cpus, err = usableCPUs(); err != nil {
			return err
		}
	}
	s.looked = time.Now()
	// A quarter is for taskstats, which tells every CPU's threads in one socket.
	ends := s.cfg.BufferBytes / 4
	s.cfg.BufferBytes -= ends
	if err := s.openReaders(); err != nil {
		return err
	}
	if s.exits, err = openExits(ends, s.cfg.Logger); err != nil {
		s.cfg.Logger.Warn("runs will have no usage: the kernel does not tell what ended processes used", "error", err)
		s.exits = nil
	}
	for _, r := range s.readers {
		if err := s.start(r); err != nil {
			return err
		}
	}
	return nil
}

// maxReaders bounds the readers: each event visits every socket.
const maxReaders = 256

// openReaders makes the readers.
func (s *Source) openReaders() error {
	where := places(s.cpus, maxReaders)
	for _, p := range where {
		r, err := newReader(p, &s.cfg, len(where))
		if err != nil {
			return err
		}
		s.readers = append(s.readers, r)
	}
	return nil
}

// Readers is the number of the source's readers, as the collector counts them:
// the pump brings all into one order and speaks for them.
func (s *Source) Readers() int { return 1 }

// Finals says whether exits are followed by counters.
func (s *Source) Finals() bool { return s.exits != nil }

// Run reads until ctx ends or a reader fails.
func (s *Source) Run(ctx context.Context, emit func(*procmon.Event)) error {
	context.AfterFunc(ctx, s.bell.interrupt)
	return s.pump(ctx, emit)
}

func (s *Source) start(r *reader) error {
	placed, err := r.start(s.bell, s.stop, s.cfg.Realtime)
	if placed != nil {
		s.cfg.Logger.Warn("a reader is not where it should be and may miss more", "cpu", r.cpu, "error", placed)
	}
	return err
}

// Close gives back what Open took; Run must have returned.
func (s *Source) Close() error {
	var errs []error
	left := s.stopReaders()
	for _, r := range s.readers {
		errs = append(errs, r.unsubscribe(), r.free())
	}
	for _, r := range s.stuck {
		errs = append(errs, r.free())
	}
	if s.exits != nil {
		errs = append(errs, s.exits.close())
	}
	if s.lookup != nil {
		errs = append(errs, s.lookup.Close())
	}
	if left > 0 {
		return errors.Join(errs...) // they may still look at the rest
	}
	if s.bell != nil {
		errs = append(errs, s.bell.close())
	}
	if s.stop >= 0 {
		errs = append(errs, unix.Close(s.stop))
	}
	return errors.Join(errs...)
}

// stopReaders ends the readers, and says how many have not ended. One whose read
// hangs can't be ended: it is left to itself, and does nothing more when the read
// returns.
func (s *Source) stopReaders() (left int) {
	if s.stop >= 0 {
		one := [8]byte{1}
		_, _ = unix.Write(s.stop, one[:])
	}
	for _, r := range append(s.readers[:len(s.readers):len(s.readers)], s.stuck...) {
		for r.started && !r.ended() && !r.abandoned && !r.hangs(s.clock.Monotonic()) {
			time.Sleep(time.Millisecond) // its end is told by no event
		}
		r.abandon()
		if r.started && !r.ended() {
			left++
		}
	}
	return left
}
