package collector

import (
	"testing"

	"procmon"
)

// A run that an earlier collector knew, and whose books were begun anew, is one
// run by two names: it ends once, and its books are forgotten by their name.
func TestRunsWithTwoNames(t *testing.T) {
	for _, vanishes := range []bool{false, true} {
		s := newStory(t, 1, false)
		cfg := s.live.cfg
		cfg.Books = true
		l := NewLive(cfg)
		p := process(7, ms(0), ms(1), 1000, "prog")
		l.Restore([]procmon.LiveRun{{Run: procmon.Run{Process: p, Start: p.Time}}}, ms(2))
		found := *p
		found.Owner = procmon.RunID{Process: p.Run.Process}
		census := func(at procmon.BootNS, books ...procmon.RunID) (ended []Change) {
			l.BeginCensus(at)
			e := procmon.Event{Kind: procmon.EventCensus, Reader: 1, Time: at, Asked: at, Books: map[procmon.RunID]struct{}{}}
			for _, id := range books {
				e.Books[id] = struct{}{}
				l.Apply(&procmon.Event{Kind: procmon.EventFound, Reader: 1, Time: at, Process: &found})
			}
			l.Apply(&e)
			l.EndCensus()
			l.Apply(&procmon.Event{Kind: procmon.EventMark, Time: at + 1})
			for _, c := range l.Advance() {
				if c.ended {
					ended = append(ended, c)
				}
			}
			return ended
		}
		if ended := census(ms(10), found.Owner); len(ended) != 0 {
			t.Fatalf("%d runs ended", len(ended))
		}
		if !vanishes {
			l.Apply(&procmon.Event{Kind: procmon.EventOver, Time: ms(15), Run: found.Owner, Over: &procmon.Over{Ended: ms(15)}})
		}
		ended := census(ms(20))
		if len(ended) != 1 {
			t.Fatalf("vanishes %v: %d runs ended, want 1", vanishes, len(ended))
		}
		c := &Collector{kept: &kept{}}
		if got := c.receipt(ended[0].run).id; got != found.Owner {
			t.Errorf("vanishes %v: the books are to forget %+v, which they know as %+v", vanishes, got, found.Owner)
		}
		if again := census(ms(30)); len(again) != 0 || l.Processes() != 0 {
			t.Errorf("vanishes %v: %d ended again, %d are left", vanishes, len(again), l.Processes())
		}
	}
}
