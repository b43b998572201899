package collector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
)

// SinkConfig is a sink and the queue in front of it.
type SinkConfig struct {
	Name   string
	Sink   Sink
	Bytes  int           // what may wait, about
	Linger time.Duration // how long a batch gathers before it is written; 0: written at once
}

// item is what travels to the sinks: a record, or a barrier behind records.
type item struct {
	record  procmon.Record
	barrier *barrier
	receipt *receipt // of a run's last record; nil: nobody waits for it
}

// maxBatch is the most records that a sink is given at once.
const maxBatch = 1000

// output is one sink with its own queue and goroutine: a slow sink delays
// nobody else.
type output struct {
	SinkConfig
	queue   *Queue[item]
	losses  *lossBook
	logger  *slog.Logger
	closing chan struct{}
	failing atomic.Bool  // the last write did not succeed: said once, not at every try
	writing atomic.Int64 // when the write that goes on began, in ns since made; 0: none does
	made    time.Time

	abandoned int // records that a stop left behind, when run has returned

	mu     sync.Mutex // guards untold
	untold []procmon.Record
}

func newOutput(cfg SinkConfig, losses *lossBook, logger *slog.Logger) *output {
	return &output{SinkConfig: cfg, queue: NewQueue[item](cfg.Bytes), losses: losses, logger: logger, closing: make(chan struct{}), made: time.Now()}
}

// push hands an item on, or counts its record as lost to this sink.
func (o *output) push(it item) {
	cost := 512
	switch {
	case it.barrier != nil:
		cost = 0
	case it.record.Run != nil:
		cost = recordCost(it.record.Run)
	}
	if o.queue.Push(it, cost) {
		return
	}
	if it.barrier != nil {
		it.barrier.pass()
		return
	}
	it.receipt.pass()
	if it.record.Loss != nil {
		o.later(&it.record)
	} else {
		o.losses.count(procmon.LossQueue, o.Name, -1, 1, it.record.Time)
	}
}

// later keeps a loss that found no room. What it counts would be missing from
// the sink's books for good, and losing it must not breed another loss. Losses
// of one kind become one, so there are never many.
func (o *output) later(r *procmon.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.untold {
		if u := &o.untold[i]; keyOf(u.Loss) == keyOf(r.Loss) {
			sum := *u.Loss // the record is other sinks', too
			merge(&sum, r.Loss)
			u.Loss = &sum
			return
		}
	}
	o.untold = append(o.untold, *r)
}

// breeds says whether losing a record is a loss of its own: one that tells what
// this sink lost must not go on for ever.
func (o *output) breeds(r procmon.Record) bool { return r.Loss == nil || r.Loss.Where != o.Name }

// withUntold gives what is to be written: first the losses that found no room
// before.
func (o *output) withUntold(batch []procmon.Record) []procmon.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.untold) == 0 {
		return batch
	}
	batch = append(o.untold, batch...)
	o.untold = nil
	return batch
}

// patience is how long one write may take before the sink counts as not working.
const patience = 5 * time.Second

// works says whether the sink takes records, be it slowly. One that doesn't must
// not hold up the others.
func (o *output) works() bool {
	began := o.writing.Load()
	return !o.failing.Load() && (began == 0 || time.Since(o.made)-time.Duration(began) < patience)
}

// close lets run return once everything is written.
func (o *output) close() { close(o.closing) }

func (o *output) run(ctx context.Context) {
	var items []item
	var batch []procmon.Record
	for {
		items = o.queue.Pop(items[:0], maxBatch)
		if len(items) == 0 {
			select {
			case <-o.queue.Ready():
				o.linger(ctx)
			case <-o.closing:
				if o.queue.Len() == 0 {
					o.write(ctx, nil, nil)
					o.abandoned += len(o.untold)
					return
				}
			case <-ctx.Done():
				return
			}
			continue
		}
		if ctx.Err() != nil { // the stop's time is over
			o.abandon(items)
			continue
		}
		batch = batch[:0]
		first := 0 // of the items that are in batch
		for i := range items {
			if items[i].barrier == nil {
				batch = append(batch, items[i].record)
				continue
			}
			o.write(ctx, batch, items[first:i])
			batch, first = batch[:0], i+1
			items[i].barrier.pass()
		}
		o.write(ctx, batch, items[first:])
		clear(items)
		clear(batch)
	}
}

// abandon lets items go unwritten.
func (o *output) abandon(items []item) {
	for i := range items {
		if b := items[i].barrier; b != nil {
			b.pass()
		} else {
			o.abandoned++
		}
	}
}

// linger lets a batch gather, unless much waits already.
func (o *output) linger(ctx context.Context) {
	if o.Linger == 0 {
		return
	}
	timer := time.NewTimer(o.Linger)
	defer timer.Stop()
	for !o.queue.Filled() {
		select {
		case <-timer.C:
			return
		case <-o.queue.Many():
		case <-o.closing:
			return
		case <-ctx.Done():
			return
		}
	}
}

// write gives a batch to the sink until it is taken or lost, and passes the
// receipts of its items.
func (o *output) write(ctx context.Context, batch []procmon.Record, items []item) {
	if batch = o.withUntold(batch); len(batch) == 0 || !o.offer(ctx, batch) {
		return
	}
	for i := range items {
		items[i].receipt.pass()
	}
}

// offer gives a batch to the sink; false: time was up before it was taken.
func (o *output) offer(ctx context.Context, batch []procmon.Record) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		o.writing.Store(max(1, int64(time.Since(o.made))))
		err := o.Sink.Write(ctx, batch)
		o.writing.Store(0)
		if err == nil {
			if o.failing.CompareAndSwap(true, false) {
				o.logger.Info("sink works again", "sink", o.Name)
			}
			return true
		}
		var lost *procmon.LostError
		if errors.As(err, &lost) {
			for i := range lost.Losses {
				o.later(&lost.Losses[i])
			}
			if lost.Loss.Count > 0 && slices.ContainsFunc(batch, o.breeds) {
				o.losses.add(lost.Loss)
				o.logger.Error("sink lost records", "sink", o.Name, "error", err)
			}
			return true
		}
		if o.failing.CompareAndSwap(false, true) {
			o.logger.Error("sink does not take records; they wait", "sink", o.Name, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			o.abandoned += len(batch)
			return false
		}
	}
}
