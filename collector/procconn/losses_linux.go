package procconn

import (
	"slices"
	"time"

	"procmon"
)

// tally is what a reader had counted when its losses were last told.
type tally struct {
	gone, full, foreign, overrun uint64
	drops                        uint32
	at                           time.Time // when drops was asked for
}

// tellLosses tells what was lost since the last time. It comes before the mark,
// so that what is marked is told with its losses.
func (s *Source) tellLosses(now time.Time, emit func(*procmon.Event)) {
	from := s.toldAt
	s.toldAt = now
	tell := func(cpu int, from time.Time, reason string, n uint64) {
		if n == 0 {
			return
		}
		if reason == procmon.LossBuffer || reason == procmon.LossQueue {
			s.ancestry.Clear()
		}
		emit(&procmon.Event{Kind: procmon.EventLost, Loss: &procmon.Loss{
			Count: n, CPU: cpu, From: from.Round(0), To: now.Round(0), Reason: reason, Where: Name,
		}})
	}
	for _, r := range append(slices.Clone(s.readers), s.stuck...) {
		old, since := r.told, from
		t := r.tally(now)
		r.told = t
		// What vanished may have waited in the socket for long, while the daemon
		// was stopped: the kernel's time of the first is where the loss begins.
		if first := shared64(&r.c.since).Swap(0); first != 0 && t != old {
			if age := s.clock.Monotonic() - min(s.clock.Monotonic(), procmon.BootNS(first)); now.Add(-time.Duration(age)).Before(since) {
				since = now.Add(-time.Duration(age))
			}
		}
		tell(r.cpu, since, procmon.LossVanished, t.gone-old.gone)
		tell(r.cpu, since, procmon.LossQueue, t.full-old.full)
		tell(r.cpu, from, procmon.LossForeign, t.foreign-old.foreign)
		tell(r.cpu, old.at, procmon.LossBuffer, buffered(t, old))
	}
	if s.exits != nil {
		s.tellUsageLost(from, now, emit)
	}
}

// tellUsageLost tells that sums of threads may be too low. How many processes
// lack usage by that is counted where they end; threads of others are missing
// from sums that look whole.
func (s *Source) tellUsageLost(from, now time.Time, emit func(*procmon.Event)) {
	t := tally{overrun: s.exits.overrun, full: s.exits.uneven}
	if t == s.exitsTold {
		return
	}
	s.exitsTold = t
	emit(&procmon.Event{Kind: procmon.EventLost, Loss: &procmon.Loss{
		CPU: -1, From: from.Round(0), To: now.Round(0), Reason: procmon.LossUsage, Where: "taskstats",
	}})
}

// dropsEvery is how often a socket is asked what it dropped when its reader has
// not noticed an overflow: one that hangs notices none.
const dropsEvery = time.Second

func (r *reader) tally(now time.Time) tally {
	t := r.told
	t.gone, t.full = shared64(&r.c.gone).Load(), shared64(&r.c.full).Load()
	t.foreign, t.overrun = shared64(&r.c.foreign).Load(), shared64(&r.c.overrun).Load()
	if r.abandoned {
		return t // the socket is another reader's
	}
	// The kernel drops until the reader has emptied the socket.
	if t.overrun != r.told.overrun || !r.idle() || now.Sub(t.at) >= dropsEvery {
		t.at = now
		if drops, err := drops(r.fd); err == nil {
			t.drops = drops
		}
	}
	return t
}

// buffered is how many messages found no room: the socket's own count of them,
// or the number of overflows where the kernel does not tell.
func buffered(t, old tally) uint64 {
	if n := uint64(t.drops - old.drops); n > 0 {
		return n
	}
	if t.overrun > old.overrun && t.drops == 0 {
		return t.overrun - old.overrun
	}
	return 0
}
