package collector

import (
	"context"
	"sync"
	"time"

	"procmon"
)

// saveEvery is how often live runs are kept for the case that this process is
// killed: what starts and ends after the last time is then told as a loss. On a
// node with very many runs it is less often, to cost 1 % of the time at most.
const saveEvery = 5 * time.Second

// inFlight is how long a record may be on its way to the store.
const inFlight = time.Second + 2*time.Second

// saveIdle is how often they are kept when nothing happens, so that the time up
// to which all is known goes on.
const saveIdle = time.Minute

// saveDue says whether live runs are to be kept now, so long after the last time.
func (c *Collector) saveDue(since time.Duration) bool {
	if !c.changed {
		return since >= saveIdle
	}
	return since >= max(saveEvery, 100*c.saveTook)
}

// saveBeside keeps the live runs as they are now, beside the loop.
func (c *Collector) saveBeside(ctx context.Context, stages *sync.WaitGroup) {
	runs := c.live.Snapshot()
	known := c.cfg.Clock.Wall(c.live.Applied()).Add(-inFlight)
	c.saving = true
	stages.Go(func() {
		began := time.Now()
		c.store(ctx, runs, known)
		took := time.Since(began)
		c.call(ctx, func() { c.saving, c.saveTook = false, took })
	})
}

func (c *Collector) store(ctx context.Context, runs []procmon.LiveRun, known time.Time) {
	if err := c.cfg.Store.SaveLive(ctx, runs, known); err != nil && ctx.Err() == nil {
		c.cfg.Logger.Error("live runs could not be saved; a restart now would adopt them anew", "error", err)
	}
}
