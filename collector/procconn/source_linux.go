package procconn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// Source is the process connector. Its readers work from Open on, so that what
// starts before Run is read in time, too.
type Source struct {
	cfg      Config
	readers  []*reader // one a CPU
	stuck    []*reader // replaced ones, whose last read hangs
	exits    *exits    // nil: no taskstats here
	bell     *doorbell
	bellFile *os.File
	stop     int // eventfd that ends the readers

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
	s := &Source{cfg: cfg, parser: procfs.NewParser(), stop: -1, toldAt: time.Now()}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open() error {
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	s.bell, s.bellFile = &doorbell{fd: bell}, os.NewFile(uintptr(bell), "doorbell")
	if s.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	s.lookup = procfs.NewGuard(s.cfg.Proc, s.cfg.Env, 4096, lookUpLimit)
	s.ancestry = procfs.NewAncestry(s.lookup.Process)
	cpus, err := usableCPUs()
	if err != nil {
		return err
	}
	for i, cpu := range cpus {
		ranges := []cpuRange{{uint32(cpu), uint32(cpu)}}
		if i == 0 {
			ranges = append(ranges, others(cpus)...)
		}
		r, err := newReader(i, cpu, ranges, &s.cfg, len(cpus))
		if err != nil {
			return err
		}
		r.wake, r.stop = s.bell, s.stop
		s.readers = append(s.readers, r)
	}
	if s.exits, err = openExits(s.cfg.BufferBytes/(len(cpus)+1), s.cfg.Logger); err != nil {
		s.cfg.Logger.Warn("runs will have no usage: the kernel does not tell what ended processes used", "error", err)
		s.exits = nil
	}
	for _, r := range s.readers {
		s.start(r)
	}
	return nil
}

// usableCPUs lists the online CPUs that this process may run on.
func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count() && cpu < 1024; cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// Readers is the number of the source's readers, taskstats counted as one.
func (s *Source) Readers() int { return len(s.readers) + 1 }

// Finals says whether exits are followed by counters.
func (s *Source) Finals() bool { return s.exits != nil }

// Close gives back what Open took; Run must have returned.
func (s *Source) Close() error {
	var errs []error
	s.stopReaders()
	for _, r := range s.readers {
		errs = append(errs, r.close())
	}
	if s.exits != nil {
		errs = append(errs, s.exits.close())
	}
	if s.lookup != nil {
		errs = append(errs, s.lookup.Close())
	}
	if s.bellFile != nil {
		errs = append(errs, s.bellFile.Close())
	}
	if s.stop >= 0 {
		errs = append(errs, unix.Close(s.stop))
	}
	return errors.Join(errs...)
}

// Run reads until ctx ends or a reader fails.
func (s *Source) Run(ctx context.Context, emit func(*procmon.Event)) error {
	context.AfterFunc(ctx, func() { _ = s.bellFile.SetReadDeadline(time.Now()) })
	return s.pump(ctx, emit)
}

func (s *Source) start(r *reader) {
	ready := make(chan error)
	r.started = true
	go r.run(s.cfg.Realtime, ready)
	if err := <-ready; err != nil {
		s.cfg.Logger.Warn("a reader is not where it should be and may miss more", "cpu", r.cpu, "error", err)
	}
}

// stopReaders ends the readers. One whose read hangs can't be ended: it is left to
// itself, and does nothing more when the read returns.
func (s *Source) stopReaders() {
	if s.stop < 0 {
		return
	}
	one := [8]byte{1}
	_, _ = unix.Write(s.stop, one[:])
	for _, r := range s.readers {
		for r.started && !r.ended.Load() && !r.hangs(s.clock.Now()) {
			time.Sleep(time.Millisecond) // its end is told by no event
		}
		r.abandoned.Store(true)
	}
}

// Bounds of what a user may hold up.
const (
	lookUpLimit = 100 * time.Millisecond // the pump's own wait for a process
	readLimit   = procmon.BootNS(500 * time.Millisecond)
	maxStuck    = 32 // readers that may hang before a CPU stays without one
)

// hangs says whether the reader's read takes longer than any read should.
func (r *reader) hangs(now procmon.BootNS) bool {
	began := r.reading.Load()
	return began != 0 && now > procmon.BootNS(began)+readLimit
}

// replaceStuck gives the socket of a reader that hangs to a new one, and lets go
// of those that have come back.
func (s *Source) replaceStuck() {
	now := s.clock.Now()
	for i, r := range s.readers {
		if !r.hangs(now) || len(s.stuck) >= maxStuck {
			continue
		}
		n, err := r.replacement(&s.cfg)
		if err != nil {
			s.cfg.Logger.Error("a reader hangs and can't be replaced", "cpu", r.cpu, "error", err)
			continue
		}
		s.cfg.Logger.Warn("a process can't be read: the kernel makes its reader wait; another goes on", "cpu", r.cpu)
		r.abandoned.Store(true)
		s.stuck = append(s.stuck, r)
		s.readers[i] = n
		s.start(n)
	}
	kept := s.stuck[:0]
	for _, r := range s.stuck {
		if r.ended.Load() && r.ring.next() == nil {
			_ = r.proc.Close()
			continue
		}
		kept = append(kept, r)
	}
	clear(s.stuck[len(kept):])
	s.stuck = kept
}

// pump hands on what the readers put into their rings.
func (s *Source) pump(ctx context.Context, emit func(*procmon.Event)) error {
	const (
		gather = 10 * time.Millisecond // while events come, so that they come in batches
		settle = 100 * time.Millisecond
		idle   = time.Second
	)
	last := time.Now()
	for {
		busy := s.drain(emit)
		now := time.Now()
		if busy {
			last = now
		}
		s.replaceStuck()
		if err := s.failed(); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			s.drain(emit)
			return nil
		case now.Sub(last) < settle:
			time.Sleep(gather)
		default:
			s.sleep(ctx, idle)
		}
	}
}

// sleep waits for the doorbell.
func (s *Source) sleep(ctx context.Context, d time.Duration) {
	s.bell.sleeping.Store(true)
	for _, r := range s.readers {
		if r.ring.next() != nil { // came before the bell was on
			s.bell.sleeping.Store(false)
			return
		}
	}
	_ = s.bellFile.SetReadDeadline(time.Now().Add(d))
	if ctx.Err() == nil {
		var b [8]byte
		_, _ = s.bellFile.Read(b[:]) // the deadline is the only error that can come
	}
	s.bell.sleeping.Store(false)
}

func (s *Source) failed() error {
	for _, r := range s.readers {
		if errno := r.failure.Load(); errno != 0 {
			return fmt.Errorf("reader of CPU %d: %w", r.cpu, unix.Errno(errno))
		}
	}
	return nil
}

// markSlack is how much older than its arrival an event's time may be: the
// kernel stamps it first and may be interrupted before it sends.
const markSlack = 20 * procmon.BootNS(time.Millisecond)

// drain hands on what is in the rings, oldest first, then what taskstats told,
// and marks for each reader how far it is. It says whether there was anything.
func (s *Source) drain(emit func(*procmon.Event)) bool {
	at := s.clock.Now()
	s.setOffset()
	offset, wall := s.offset, time.Now().Round(0)
	marks := make([]procmon.BootNS, len(s.readers), len(s.readers)+1)
	for i, r := range s.readers {
		// The order matters: what is in the ring before these looks is drained below.
		if r.idle.Load() && r.empty() && r.idle.Load() {
			marks[i] = at
		} else {
			marks[i] = procmon.BootNS(r.handled.Load()) + offset
		}
	}
	// Only what is there now: with no end in sight nothing would ever be marked.
	for _, readers := range [...][]*reader{s.readers, s.stuck} {
		for _, r := range readers {
			r.until = r.ring.head.Load()
		}
	}
	busy := false
	for {
		r, b := s.oldest()
		if r == nil {
			break
		}
		busy = true
		rec, rest := decodeRecord(b)
		s.hand(r, &rec, rest, offset, at, wall, emit)
		r.ring.release(len(b))
	}
	s.tellLosses(time.Now(), emit)
	for i, m := range marks {
		emit(&procmon.Event{Kind: procmon.EventMark, Reader: i, Time: m - min(m, markSlack)})
	}
	if s.exits != nil && s.exits.drain(len(s.readers), emit) {
		busy = true
	}
	emit(&procmon.Event{Kind: procmon.EventMark, Reader: len(s.readers), Time: at - min(at, markSlack)})
	return busy
}

// setOffset takes the difference of the clocks anew. It is two readings with
// time between them: the smallest is the best, until a suspend makes it larger.
func (s *Source) setOffset() {
	if now := s.clock.SinceMonotonic(); s.offset == 0 || now < s.offset || now > s.offset+1e9 {
		s.offset = now
	}
}

// empty says whether nothing waits in the reader's socket.
func (r *reader) empty() bool {
	waiting, _, err := memInfo(r.fd)
	return err == nil && waiting == 0
}

// oldest gives the ring whose next record is the oldest.
func (s *Source) oldest() (from *reader, record []byte) {
	best := uint64(0)
	for _, readers := range [...][]*reader{s.readers, s.stuck} {
		for _, r := range readers {
			b := r.ring.next()
			if b == nil || r.ring.tail.Load() >= r.until {
				continue
			}
			if rec, _ := decodeRecord(b); from == nil || rec.time < best {
				from, record, best = r, b, rec.time
			}
		}
	}
	return from, record
}

// hand turns one record into an event.
func (s *Source) hand(r *reader, rec *record, rest []byte, offset, at procmon.BootNS, wall time.Time, emit func(*procmon.Event)) {
	e := procmon.Event{Reader: r.index, Time: procmon.BootNS(rec.time) + offset, Proc: procmon.ProcessID{PID: rec.pid}}
	switch rec.kind {
	case recordFork:
		e.Kind, e.Parent = procmon.EventFork, procmon.ProcessID{PID: rec.parent}
		e.Proc.Start = e.Time.Ticks()
		s.ancestry.Fork(e.Parent, e.Proc)
	case recordExit:
		e.Kind, e.Wait = procmon.EventExit, rec.wait
		s.ancestry.Exit(rec.pid)
	case recordExec, recordGone:
		e.Kind = procmon.EventExec
		e.Process = s.process(rec, rest)
		e.Process.Read = procmon.BootNS(rec.read) + offset
		e.Process.Run.Exec, e.Process.Boot = e.Time, s.cfg.Boot
		e.Process.Time = wall.Add(time.Duration(int64(e.Time) - int64(at)))
		e.Proc = e.Process.Run.Process
	}
	emit(&e)
}

// process parses what a reader copied. Of a process that was gone nothing is
// known but that it exec'ed.
func (s *Source) process(rec *record, rest []byte) *procmon.Process {
	if rec.kind == recordExec {
		if raw, err := procfs.DecodeRaw(rest); err == nil {
			p := s.parser.Process(&raw)
			p.Ancestors = s.ancestry.Of(p)
			s.ancestry.Exec(p)
			return p
		}
	}
	return procfs.Unread(rec.pid)
}
