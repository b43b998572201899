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
	since  procmon.BootNS
	misses [4]uint64 // of the programs
	due    bool      // not looked at yet
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
	reasons := map[uint32]string{countUnbooked: procmon.LossCap, countLost: procmon.LossRing, countNoChild: procmon.LossUsage}
	for _, what := range []uint32{countDropped, countUnbooked, countLost, countNoChild} {
		for cpu, n := range s.grown(what) {
			dropped = dropped || what == countDropped
			if reason := reasons[what]; reason != "" {
				loss(cpu, n.N, procmon.BootNS(n.First), reason, Name)
			}
		}
	}
	for i, p := range s.progs.hooks {
		stats, err := p.Stats()
		if err != nil {
			continue // before Linux 5.12
		}
		n := stats.RecursionMisses - s.losses.misses[i]
		s.losses.misses[i] = stats.RecursionMisses
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
		key, told := uint32(cpu*counters)+what, uint64(0)
		if err := s.progs.Told.Lookup(key, &told); err != nil || told == now[cpu].N {
			continue
		}
		if err := s.progs.Told.Put(key, now[cpu].N); err != nil {
			continue // told next time
		}
		if grown == nil {
			grown = map[int]captureCount{}
		}
		grown[cpu] = captureCount{N: now[cpu].N - told, First: now[cpu].First}
	}
	return grown
}
