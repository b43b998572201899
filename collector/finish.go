package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
)

// finish ends the stages front to back: what the source still handed on is
// applied, live runs are kept for the next start, and the rest is drained.
func (c *Collector) finish(stages *sync.WaitGroup, namingDone <-chan struct{}, drain time.Duration) {
	ended := make(chan struct{})
	go func() { stages.Wait(); close(ended) }()
	var buf []procmon.Event
	for done := false; !done; { // stages may still be waiting for a call, or for room
		select {
		case f := <-c.calls:
			f()
		case <-c.events.Ready():
			buf = c.events.Pop(buf[:0], 4096)
			c.apply(buf)
		case <-ended:
			done = true
		}
	}
	for c.events.Len() > 0 {
		buf = c.events.Pop(buf[:0], 4096)
		c.apply(buf)
	}
	c.take(c.live.Drain())
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if c.cfg.Store != nil {
		c.store(ctx, c.live.Snapshot(), time.Now())
	}
	c.status("stop")
	c.tellLosses()
	c.naming.close()
	select {
	case <-namingDone:
	case <-ctx.Done():
		c.cfg.Logger.Error("stopped before every record was named")
	}
	c.tellLosses()
	for _, o := range c.outputs {
		o.close()
	}
}

// ErrNotFlushed says that a flush did not come to its end in time.
var ErrNotFlushed = errors.New("not flushed in time")

// Flush returns when everything that happened before the call has been written
// by every sink.
func (c *Collector) Flush(ctx context.Context) error {
	until := c.cfg.Clock.Now()
	for {
		c.hurry()
		applied := false
		c.call(ctx, func() { c.advance(); applied = c.live.Applied() > until && c.live.Exiting() > until })
		if applied {
			break
		}
		// There is no event to wait for.
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: events", ErrNotFlushed)
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.call(ctx, c.tellLosses)
	return c.settle(ctx)
}

// hurry asks a source that marks only then.
func (c *Collector) hurry() {
	if source, ok := c.cfg.Source.(Hurrier); ok {
		source.Hurry()
	}
}

// settle returns when every record made so far has been written.
func (c *Collector) settle(ctx context.Context) error {
	b := &barrier{passed: make(chan struct{})}
	b.left.Store(int32(len(c.outputs)))
	c.naming.put(&pending{barrier: b})
	select {
	case <-b.passed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: sinks", ErrNotFlushed)
	}
}

// barrier travels through the queues behind the records that it waits for.
type barrier struct {
	left   atomic.Int32 // outputs that it has not passed
	passed chan struct{}
}

func (b *barrier) pass() {
	if b.left.Add(-1) == 0 {
		close(b.passed)
	}
}
