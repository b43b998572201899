package collector

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"procmon"
)

// Books is a Source that keeps the books of runs where they outlive the
// collector. A run stays in them until it is forgotten, which happens when its
// record is written: so none is lost with a collector that is killed.
type Books interface {
	Source
	// Continues says whether the source went on since an earlier collector.
	Continues() bool
	// Pending gives the runs that have ended and were not forgotten. Those of
	// them that are recorded are handed to Recorded, the others told again. Both
	// are called before Run.
	Pending() ([]procmon.RunID, error)
	Recorded(ids []procmon.RunID)
	// Forget is told of runs that are over and recorded. It may be called at any
	// time, by any goroutine.
	Forget(ids []procmon.RunID)
	// CanWait says whether there is room for more events before those that were
	// not handed on yet. It is called from within emit.
	CanWait() bool
	// Owners gives the run to which each live process belongs.
	Owners() (map[procmon.ProcessID]procmon.RunID, error)
	// Runs gives the runs that are not over.
	Runs() (map[procmon.RunID]struct{}, error)
}

// resumeBooks takes up the books of an earlier collector.
func (c *Collector) resumeBooks(ctx context.Context) error {
	if c.books == nil || !c.books.Continues() {
		return nil
	}
	ids, err := c.books.Pending()
	if err != nil {
		return err
	}
	if c.cfg.Store == nil || len(ids) == 0 {
		return nil
	}
	recorded, err := c.cfg.Store.Recorded(ctx, ids)
	if err != nil {
		return fmt.Errorf("find what is recorded: %w", err)
	}
	c.books.Recorded(recorded)
	return nil
}

// receipt is how a run's last record comes to be known as written.
type receipt struct {
	id   procmon.RunID
	left atomic.Int32 // outputs that have not written it
	kept *kept
}

// pass is called once by each output, when it has written the record or counted
// it as lost.
func (r *receipt) pass() {
	if r != nil && r.left.Add(-1) == 0 {
		r.kept.add(r.id)
	}
}

// lose is called instead when no output gets the record.
func (r *receipt) lose() {
	if r != nil {
		r.kept.add(r.id)
	}
}

// maxKept is how many runs are forgotten at once.
const maxKept = 512

// kept gathers runs that the books may forget.
type kept struct {
	books Books
	mu    sync.Mutex // guards ids
	ids   []procmon.RunID
}

func (k *kept) add(ids ...procmon.RunID) {
	k.mu.Lock()
	k.ids = append(k.ids, ids...)
	full := len(k.ids) >= maxKept
	k.mu.Unlock()
	if full {
		k.flush()
	}
}

func (k *kept) flush() {
	k.mu.Lock()
	ids := k.ids
	k.ids = nil
	k.mu.Unlock()
	if len(ids) > 0 {
		k.books.Forget(ids)
	}
}

// receipt makes one for a run's last record; nil: nobody waits for it.
func (c *Collector) receipt(r *run) *receipt {
	if c.kept == nil {
		return nil
	}
	rc := &receipt{id: cmp.Or(r.renamed, r.Process.Run), kept: c.kept}
	rc.left.Store(int32(len(c.outputs)))
	if len(c.outputs) == 0 {
		rc.lose()
	}
	return rc
}
