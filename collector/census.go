package collector

import (
	"context"
	"sync"

	"procmon"
)

// census begins a scan of /proc; its events go the way of the source's.
func (c *Collector) census(ctx context.Context, stages *sync.WaitGroup) {
	begin := c.cfg.Clock.Now()
	c.scanning = true
	c.live.BeginCensus(begin)
	reader := c.live.CensusReader()
	stages.Go(func() {
		var batch []procmon.Event
		failed := false
		hand := func(done bool) {
			events := batch
			batch = nil
			c.call(ctx, func() {
				for i := range events {
					c.live.Apply(&events[i])
				}
				if done {
					c.live.EndCensus()
					c.scanning, c.rescan = false, c.rescan || failed
					c.hurry() // what was found counts once the source is as far
				}
				c.advance()
				if done && c.cfg.Ready != nil {
					c.cfg.Ready()
					c.cfg.Ready = nil
				}
			})
		}
		owners, err := c.owners()
		if err == nil {
			err = c.cfg.Census.Scan(ctx, func(at procmon.BootNS, p *procmon.Process) {
				p.Owner = owners[p.Run.Process]
				batch = append(batch,
					procmon.Event{Kind: procmon.EventFound, Reader: reader, Time: at, Process: p},
					procmon.Event{Kind: procmon.EventMark, Reader: reader, Time: at})
				if len(batch) >= 256 {
					hand(false)
				}
			})
		}
		end := procmon.Event{Kind: procmon.EventCensus, Reader: reader, Time: c.cfg.Clock.Now()}
		if err == nil && c.books != nil {
			end.Asked = end.Time
			end.Books, err = c.books.Runs()
			end.Time = c.cfg.Clock.Now() // so that what is over meanwhile is told before
			for _, run := range owners { // of some there may have been no room for books
				end.Books[run] = struct{}{}
			}
		}
		failed = err != nil && ctx.Err() == nil
		if failed {
			c.cfg.Logger.Error("what is alive could not be found out; it is tried again", "error", err)
		} else {
			batch = append(batch, end)
		}
		hand(true)
	})
}

// owners asks the books to which runs live processes belong; nil: there are no
// books.
func (c *Collector) owners() (map[procmon.ProcessID]procmon.RunID, error) {
	if c.books == nil {
		return nil, nil
	}
	return c.books.Owners()
}

// call runs f between two events of the loop, and waits for it.
func (c *Collector) call(ctx context.Context, f func()) {
	done := make(chan struct{})
	select {
	case c.calls <- func() { f(); close(done) }:
		<-done
	case <-ctx.Done():
	}
}
