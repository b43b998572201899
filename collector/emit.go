package collector

import (
	"context"
	"time"

	"procmon"
)

// emitter gives what the source calls with its events. A source that keeps the
// books of runs waits in it while too much is on its way, as long as it can:
// its events are safe where they are. When it can't, the sinks that are behind
// refuse, each for itself, and the others miss nothing. Other sources never
// wait.
func (c *Collector) emitter(ctx context.Context, drain time.Duration) func(*procmon.Event) {
	if c.books == nil {
		return c.emit
	}
	late := make(chan struct{}) // a stop does not wait for ever
	context.AfterFunc(ctx, func() { time.AfterFunc(drain/2, func() { close(late) }) })
	return func(e *procmon.Event) {
		for c.crowded() && c.books.CanWait() {
			select {
			case <-late:
				c.emit(e)
				return
			case <-time.After(roomWait):
			}
		}
		c.emit(e)
	}
}

// roomWait is how long a source waits for room before it looks again.
const roomWait = 5 * time.Millisecond

// crowded says whether half of what may wait is on its way: events, records to
// be named, and those for a sink that works.
func (c *Collector) crowded() bool {
	before := c.events.Cost() + c.naming.records.Cost()
	for _, o := range c.outputs {
		if before+o.queue.Cost() >= min(o.Bytes, c.cfg.QueueBytes)/2 && o.works() {
			return true
		}
	}
	return before >= c.cfg.QueueBytes/2
}

// emit takes an event from the source. It never waits.
func (c *Collector) emit(e *procmon.Event) {
	if e.Kind == procmon.EventOver || e.Kind == procmon.EventExited {
		// Refused, a run would stay in the books for good: they bound how many
		// there can be.
		c.events.Put(*e, eventCost(e))
		return
	}
	// Marks carry no run: a later one says the same.
	if c.events.Push(*e, eventCost(e)) || e.Kind == procmon.EventMark {
		return
	}
	c.unseen.Store(true)
	if e.Kind == procmon.EventUntold {
		return // it asks for what unseen asks for
	}
	if e.Kind == procmon.EventLost {
		c.losses.add(*e.Loss)
		return
	}
	c.losses.count(procmon.LossQueue, c.cfg.Capture, -1, 1, c.cfg.Clock.Wall(e.Time))
}

// eventCost is about what an event holds in memory, and the record that it
// leads to.
func eventCost(e *procmon.Event) int {
	cost := 256
	if p := e.Process; p != nil {
		cost += 1024 + len(p.Args) + len(p.Env)
	}
	if e.Over != nil {
		cost += 2048
	}
	return cost
}
