package procconn

import (
	"context"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// Bounds of what a user may hold up.
const (
	lookUpLimit = 100 * time.Millisecond // the pump's own wait for a process
	readLimit   = procmon.BootNS(500 * time.Millisecond)
	maxStuck    = 32 // readers that may hang before a CPU stays without one
)

// hangs says whether the reader's read takes longer than any read should.
func (r *reader) hangs(now procmon.BootNS) bool {
	began := r.reading()
	return began != 0 && now > procmon.BootNS(began)+readLimit
}

// replaceStuck gives the socket of a reader that hangs to a new one, and lets go
// of those that have come back.
func (s *Source) replaceStuck() error {
	now := s.clock.Monotonic()
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
		r.abandon()
		s.stuck = append(s.stuck, r)
		s.readers[i] = n
		if err := s.start(n); err != nil {
			return err
		}
	}
	s.stuck = slices.DeleteFunc(s.stuck, func(r *reader) bool {
		back := r.ended() && r.ring.next() == nil
		if back {
			_ = r.free()
		}
		return back
	})
	return nil
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
		if err := s.replaceStuck(); err != nil {
			return err
		}
		s.followCPUs(now)
		for _, r := range s.readers {
			if err := r.failed(); err != nil {
				return err
			}
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
	s.bell.arm()
	for _, r := range s.readers {
		if r.ring.next() != nil { // came before the bell was on
			s.bell.disarm()
			return
		}
	}
	s.bell.wait(ctx, d)
}

// markSlack is how much older than its arrival an event's time may be: the
// kernel stamps it first and may be interrupted before it sends.
const markSlack = 20 * procmon.BootNS(time.Millisecond)

// drain hands on what is in the rings, oldest first, then what taskstats told,
// and marks how far it is. It says whether there was anything.
func (s *Source) drain(emit func(*procmon.Event)) bool {
	at := s.clock.Now()
	s.setOffset()
	mark := s.mark(at)
	d := drained{at: at, wall: time.Now().Round(0)}
	if s.exits != nil && s.exits.late(at) {
		d.exits = map[int32]procmon.BootNS{}
	}
	s.merge.begin()
	for _, readers := range [...][]*reader{s.readers, s.stuck} {
		for _, r := range readers {
			s.merge.add(&r.ring)
		}
	}
	s.merge.order()
	busy := false
	for ring, b := s.merge.next(); ring != nil; ring, b = s.merge.next() {
		busy = true
		if rec, err := decodeRecord(b); err == nil {
			s.hand(&d, ring.cpu, &rec, emit)
		}
		ring.release(len(b))
	}
	s.tellLosses(time.Now(), emit)
	if s.exits != nil && s.exits.drain(d.exits, emit) {
		busy = true
	}
	emit(&procmon.Event{Kind: procmon.EventMark, Time: mark - min(mark, markSlack)})
	return busy
}

// drained is what the records of one drain have in common.
type drained struct {
	at    procmon.BootNS
	wall  time.Time                // at the same moment
	exits map[int32]procmon.BootNS // when processes exited; nil: nobody asks
}

// mark is the time before which every event is in a ring that merge is about to
// drain: of a reader that waits, with nothing in its socket, that is now.
func (s *Source) mark(at procmon.BootNS) procmon.BootNS {
	s.polled = s.polled[:0]
	for _, r := range s.readers {
		fd := int32(-1) // poll passes it over
		if r.idle() {
			fd = int32(r.fd)
		}
		s.polled = append(s.polled, unix.PollFd{Fd: fd, Events: unix.POLLIN})
	}
	pollNow(s.polled)
	mark := at
	for i, r := range s.readers {
		// The order matters: it waited, its socket was empty, and it still waits.
		if s.polled[i].Fd < 0 || s.polled[i].Revents != 0 || !r.idle() {
			mark = min(mark, procmon.BootNS(r.handled())+s.offset)
		}
	}
	return mark
}

// pollNow asks all descriptors at once and does not wait.
func pollNow(fds []unix.PollFd) {
	var zero unix.Timespec
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(&zero)), 0, 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}

// setOffset takes the difference of the clocks anew. It is two readings with
// time between them: the smallest is the best, until a suspend makes it larger.
func (s *Source) setOffset() {
	if now := s.clock.SinceMonotonic(); s.offset == 0 || now < s.offset || now > s.offset+1e9 {
		s.offset = now
	}
}

// hand turns one record into an event.
func (s *Source) hand(d *drained, reader int, rec *record, emit func(*procmon.Event)) {
	m := &rec.message
	if m.PID != m.Thread || !s.joined.has(reader, m) {
		return // a thread's, which the filter drops, too; or another reader tells it
	}
	e := procmon.Event{Time: procmon.BootNS(m.Time) + s.offset, Proc: procmon.ProcessID{PID: m.PID}}
	switch {
	case m.What == whatFork:
		e.Kind, e.Parent = procmon.EventFork, procmon.ProcessID{PID: m.Parent}
		e.Proc.Start = e.Time.Ticks()
		s.ancestry.Fork(e.Parent, e.Proc)
	case m.What == whatExit:
		e.Kind, e.Wait = procmon.EventExit, m.Wait
		s.ancestry.Exit(m.PID)
		if d.exits != nil {
			d.exits[m.PID] = e.Time
		}
	default:
		e.Kind = procmon.EventExec
		e.Process = s.process(rec)
		e.Process.Read = procmon.BootNS(rec.read) + s.offset
		e.Process.Run.Exec, e.Process.Boot = e.Time, s.cfg.Boot
		e.Process.Time = d.wall.Add(time.Duration(int64(e.Time) - int64(d.at)))
		e.Proc = e.Process.Run.Process
	}
	emit(&e)
}

// process parses what a reader copied. Of a process that was gone nothing is
// known but that it exec'ed.
func (s *Source) process(rec *record) *procmon.Process {
	if rec.kind == recordExec {
		if raw, err := procfs.DecodeRaw(rec.process); err == nil {
			p := s.parser.Process(&raw)
			p.Ancestors = s.ancestry.Of(p)
			s.ancestry.Exec(p)
			return p
		}
	}
	return procfs.Unread(rec.message.PID)
}
