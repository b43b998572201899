package bpf

import (
	"procmon"
)

// The counters of the programs (program/records.h).
const (
	countExecs = iota
	countDropped
	countUnbooked
	countLost
	countNoChild
	counters
)

// tally is what was counted when losses were told last.
type tally struct {
	since procmon.BootNS
	due   bool // not looked at yet
}

// tellLosses tells what the programs counted since the last time, and says
// whether the ring dropped anything: then the books know more than was told.
func (s *Source) tellLosses(at procmon.BootNS, emit func(*procmon.Event)) (dropped bool) {
	since := s.losses.since
	s.losses.since, s.losses.due = at, false
	loss := func(cpu int, n uint64, from procmon.BootNS, reason, where string) {
		if n > 0 {
			emit(&procmon.Event{Kind: procmon.EventLost, Time: at, Loss: &procmon.Loss{
				Count: n, CPU: cpu, From: s.cfg.Clock.Wall(min(from, since)), To: s.cfg.Clock.Wall(at), Reason: reason, Where: where,
			}})
		}
	}
	for what, told := range map[uint32]struct{ reason, where string }{
		countDropped:  {},                                          // the books know which runs
		countUnbooked: {procmon.LossUsage, Name + " (books full)"}, // they are told, without what their children used
		countLost:     {procmon.LossRing, Name},
		countNoChild:  {procmon.LossUsage, Name},
	} {
		for cpu, n := range s.grown(what) {
			dropped = dropped || what == countDropped
			if told.reason != "" {
				loss(cpu, n.N, procmon.BootNS(n.First), told.reason, told.where)
			}
		}
	}
	for i, p := range s.progs.hooks {
		stats, err := p.Stats()
		if err != nil {
			continue // before Linux 5.12
		}
		n := s.untold(s.progs.missesKey(i), stats.RecursionMisses)
		if i == 0 {
			loss(-1, n, since, procmon.LossMissed, Name)
		} else {
			loss(-1, n, since, procmon.LossUsage, Name+" (missed)")
		}
	}
	return dropped
}

// grown gives, by CPU, by how much a count has grown since it was asked last,
// and since when.
func (s *Source) grown(what uint32) map[int]captureCount {
	var now []captureCount
	if err := s.progs.Counts.Lookup(what, &now); err != nil {
		return nil // a map of our own
	}
	var grown map[int]captureCount
	for cpu := range now {
		if now[cpu].N == 0 {
			continue
		}
		n := s.untold(uint32(cpu*counters)+what, now[cpu].N)
		if n == 0 {
			continue
		}
		if grown == nil {
			grown = map[int]captureCount{}
		}
		grown[cpu] = captureCount{N: n, First: now[cpu].First}
	}
	return grown
}

// untold is what of a count was not told, by this daemon or an earlier one; it
// counts as told from then on.
func (s *Source) untold(key uint32, now uint64) uint64 {
	var told uint64
	if err := s.progs.Told.Lookup(key, &told); err != nil || told >= now {
		return 0
	}
	if err := s.progs.Told.Put(key, now); err != nil {
		return 0 // told next time
	}
	return now - told
}
