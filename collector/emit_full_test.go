package collector

import (
	"testing"

	"procmon"
)

// The end of a run finds room where nothing else does: refused, it would stay
// in its source's books for good. Only runs are counted as lost.
func TestEndsFindRoom(t *testing.T) {
	c := &Collector{cfg: Config{Clock: fakeClock{}}, events: NewQueue[procmon.Event](4096)}
	const many = 100
	for range many {
		c.emit(&procmon.Event{Kind: procmon.EventExec, Process: &procmon.Process{}})
	}
	taken := c.events.Len()
	c.emit(&procmon.Event{Kind: procmon.EventExited})
	c.emit(&procmon.Event{Kind: procmon.EventOver, Over: &procmon.Over{}})
	if got := c.events.Len(); got != taken+2 {
		t.Errorf("%d events wait, want %d", got, taken+2)
	}
	for c.events.Push(procmon.Event{}, 1) { // no room at all
	}
	c.emit(&procmon.Event{Kind: procmon.EventUntold})
	if !c.unseen.Load() {
		t.Error("nobody asks what is alive")
	}
	lost := c.losses.take()
	if len(lost) != 1 || lost[0].Count != uint64(many-taken) {
		t.Errorf("lost %+v, want %d", lost, many-taken)
	}
}
