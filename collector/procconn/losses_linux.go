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
}

// tellLosses tells what was lost since the last time. It comes before the marks,
// so that what is marked is told with its losses.
func (s *Source) tellLosses(now time.Time, emit func(*procmon.Event)) {
	from := s.toldAt
	s.toldAt = now
	tell := func(reader, cpu int, where, reason string, n uint64) {
		if n == 0 {
			return
		}
		if reason == procmon.LossBuffer || reason == procmon.LossQueue {
			s.ancestry.Clear()
		}
		emit(&procmon.Event{Kind: procmon.EventLost, Reader: reader, Loss: &procmon.Loss{
			Count: n, CPU: cpu, From: from.Round(0), To: now.Round(0), Reason: reason, Where: where,
		}})
	}
	for _, r := range append(slices.Clone(s.readers), s.stuck...) {
		i, t, old := r.index, r.tally(), r.told
		tell(i, r.cpu, Name, procmon.LossVanished, t.gone-old.gone)
		tell(i, r.cpu, Name, procmon.LossQueue, t.full-old.full)
		tell(i, r.cpu, Name, procmon.LossForeign, t.foreign-old.foreign)
		tell(i, r.cpu, Name, procmon.LossBuffer, buffered(t, old))
		r.told = t
	}
	if x := s.exits; x != nil {
		t, old := tally{overrun: x.overrun, full: x.uneven}, s.exitsTold
		if _, drops, err := memInfo(x.fd); err == nil {
			t.drops = drops
		}
		// How many processes lack usage by that is counted where they end; threads
		// of others are missing from sums that look whole.
		if buffered(t, old)+t.full-old.full > 0 {
			emit(&procmon.Event{Kind: procmon.EventLost, Reader: len(s.readers), Loss: &procmon.Loss{
				CPU: -1, From: from.Round(0), To: now.Round(0), Reason: procmon.LossUsage, Where: "taskstats",
			}})
		}
		s.exitsTold = t
	}
}

func (r *reader) tally() tally {
	t := tally{gone: r.gone.Load(), full: r.full.Load(), foreign: r.foreign.Load(), overrun: r.overrun.Load(), drops: r.told.drops}
	if r.abandoned.Load() {
		return t // the socket is another reader's
	}
	// Asked even without an overrun: a reader that hangs notices none.
	if _, drops, err := memInfo(r.fd); err == nil {
		t.drops = drops
	}
	return t
}

// buffered is how many messages found no room: the socket's own count of them,
// or the number of overflows where the kernel does not tell.
func buffered(t, old tally) uint64 {
	if n := uint64(t.drops - old.drops); n > 0 {
		return n
	}
	return t.overrun - old.overrun
}
