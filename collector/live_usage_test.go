package collector

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// Counters tell the maximum RSS of a process's last image only: of a run that
// another execve replaced it is not known, and not 0.
func TestLiveMaxRSS(t *testing.T) {
	const mib = 1 << 20
	s := newStory(t, 1, true)
	end := func(at procmon.BootNS, pid int32, rss uint64) {
		u := used(30)
		u.MaxRSS = rss
		s.exit(0, at, pid, 0)
		s.live.Apply(&procmon.Event{Kind: procmon.EventFinal, Time: at, Proc: procmon.ProcessID{PID: pid}, Used: u})
	}
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "wrapper"))
	s.fork(0, ms(3), 10, 11)
	end(ms(5), 11, 8*mib)
	second := process(10, ms(1), ms(6), 1000, "gmx")
	second.Before = used(20)
	s.exec(0, ms(6), second)
	s.fork(0, ms(7), 10, 12)
	end(ms(8), 12, 4*mib)
	end(ms(9), 10, 2*mib)
	for i := range s.live.marks {
		s.live.marks[i] = ms(100)
	}
	got := map[string]uint64{}
	for _, c := range s.live.Advance() {
		if c.ended {
			got[c.run.Process.Exe] = c.run.Usage.MaxRSS
		}
	}
	if diff := cmp.Diff(map[string]uint64{"wrapper": 0, "gmx": 4 * mib}, got); diff != "" {
		t.Error(diff)
	}
}

// A source that keeps the books knows what a replaced run held, and for the next
// one an upper bound: both are told as they are.
func TestLiveMaxRSSOfBooks(t *testing.T) {
	s := newStory(t, 1, false)
	s.live.cfg.Books = true
	over := func(at procmon.BootNS, id procmon.RunID, o procmon.Over) {
		s.live.Apply(&procmon.Event{Kind: procmon.EventOver, Time: at, Run: id, Over: &o})
	}
	first, second := process(10, ms(1), ms(2), 1000, "wrapper"), process(10, ms(1), ms(6), 1000, "gmx")
	s.exec(0, ms(2), first)
	over(ms(6), first.Run, procmon.Over{Ended: ms(6), Usage: procmon.Usage{MaxRSS: 8 << 20}})
	s.exec(0, ms(6), second)
	bound := procmon.Usage{MaxRSS: 9 << 20, RSSBound: true}
	over(ms(9), second.Run, procmon.Over{Ended: ms(9), Waited: true, Provisional: true, Usage: bound})
	s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Time: ms(100)})
	got := map[string]procmon.Usage{}
	for _, c := range s.live.Advance() {
		if c.ended {
			got[c.run.Process.Exe] = *c.run.Usage
			if c.run.Provisional != (c.run.Process.Exe == "gmx") {
				t.Errorf("%s: provisional is %v", c.run.Process.Exe, c.run.Provisional)
			}
		}
	}
	if diff := cmp.Diff(map[string]procmon.Usage{"wrapper": {MaxRSS: 8 << 20}, "gmx": bound}, got); diff != "" {
		t.Error(diff)
	}
}
