package collector

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
)

// naming is the name of a run to come.
type naming struct {
	process *procmon.Process
	asked   time.Time
	done    chan struct{} // closed when app and user are set; nil: they were known at once
	app     procmon.Application
	user    string

	skipped atomic.Bool // nobody looked: it may be asked again

	taken bool // by a worker; guarded by namer.mu
	late  bool // given up while a worker had it; guarded by namer.mu
}

// pending is a record on its way through naming, in order.
type pending struct {
	run     *procmon.Run // its own: nobody else writes to it
	name    *naming      // nil: the run has its name
	phase   procmon.Phase
	boot    string
	at      time.Time
	barrier *barrier // set: no record
	receipt *receipt
}

// Bounds of the naming stage.
const (
	maxPending = 32 << 20 // bytes of records that may wait, about
	maxAsked   = 8192     // names that may be asked for at once
	namers     = 2        // workers
	maxHung    = 16       // workers that may hang in a dead filesystem before no more are started
)

// namer gives runs their application and user. Workers ask for the names; one
// goroutine hands the records on in order, each when it is named or has waited
// long enough. A worker that hangs is replaced by another.
type namer struct {
	cfg     *Config
	counts  *Counts
	losses  *lossBook
	deliver func(item)
	asked   chan *naming
	records *Queue[*pending]
	closing chan struct{}

	mu   sync.Mutex // guards hung, and the marked fields of every naming
	hung int
}

func newNamer(cfg *Config, counts *Counts, losses *lossBook, deliver func(item)) *namer {
	return &namer{
		cfg: cfg, counts: counts, losses: losses, deliver: deliver,
		asked: make(chan *naming, maxAsked), records: NewQueue[*pending](maxPending), closing: make(chan struct{}),
	}
}

// ask begins to name a process. It never waits: with too many names asked for
// already, the process stays unknown.
func (n *namer) ask(p *procmon.Process) *naming {
	if name := n.known(p); name != nil {
		return name
	}
	name := &naming{process: p, asked: time.Now(), done: make(chan struct{})}
	select {
	case n.asked <- name:
	default:
		name.app = procmon.Application{Kind: procmon.KindUnknown}
		name.skipped.Store(true)
		n.counts.Unnamed.Add(1)
		close(name.done)
	}
	return name
}

// known is the name of a process if it is known already.
func (n *namer) known(p *procmon.Process) *naming {
	user := ""
	if p.UID != procmon.NoUID {
		name, ok := n.cfg.Users.Known(p.UID)
		if !ok {
			return nil
		}
		user = name
	}
	app, ok := n.cfg.Identifier.Known(p)
	if !ok {
		return nil
	}
	return &naming{app: app, user: user}
}

// put appends a record, or counts it as lost.
func (n *namer) put(p *pending) {
	if !n.offer(p) {
		n.losses.count(procmon.LossQueue, "naming", -1, 1, p.at)
		p.receipt.lose()
	}
}

// offer appends a record if there is room.
func (n *namer) offer(p *pending) bool {
	cost := 0
	if p.barrier == nil {
		cost = recordCost(p.run)
	}
	return n.records.Push(p, cost)
}

// recordCost is about what a run's record holds in memory.
func recordCost(r *procmon.Run) int {
	cost := 2048
	if r.Process != nil {
		cost += len(r.Process.Args) + len(r.Process.Env)
	}
	return cost
}

// close lets run return once every record is handed on.
func (n *namer) close() { close(n.closing) }

func (n *namer) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range namers {
		go n.work(ctx)
	}
	var buf []*pending
	for {
		buf = n.records.Pop(buf[:0], 256)
		for i, p := range buf {
			n.hand(ctx, p)
			buf[i] = nil
		}
		if len(buf) > 0 {
			continue
		}
		select {
		case <-n.records.Ready():
		case <-n.closing:
			if n.records.Len() == 0 {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// hand waits for a record's name and delivers it.
func (n *namer) hand(ctx context.Context, p *pending) {
	if p.barrier != nil {
		n.deliver(item{barrier: p.barrier})
		return
	}
	run := p.run
	if p.name != nil {
		if n.wait(ctx, p.name) {
			run.Application, run.UserName = p.name.app, p.name.user
		} else {
			run.Application = procmon.Application{Kind: procmon.KindUnknown}
			n.counts.Unnamed.Add(1)
		}
	}
	n.deliver(item{record: procmon.Record{Time: p.at, Boot: p.boot, Phase: p.phase, Run: run}, receipt: p.receipt})
}

// wait says whether the name came in time.
func (n *namer) wait(ctx context.Context, name *naming) bool {
	if name.done == nil {
		return true
	}
	select {
	case <-name.done:
		return true
	default:
	}
	if n.records.Cost() >= n.cfg.QueueBytes/4 { // records are worth more than their names
		return false
	}
	timer := time.NewTimer(time.Until(name.asked.Add(n.cfg.NamingWait)))
	defer timer.Stop()
	select {
	case <-name.done:
		return true
	case <-timer.C:
		n.giveUp(ctx, name)
	case <-ctx.Done():
	}
	return false
}

// giveUp replaces the worker that hangs on a name.
func (n *namer) giveUp(ctx context.Context, name *naming) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !name.taken || name.late || n.hung >= maxHung {
		return
	}
	name.late = true
	n.hung++
	n.counts.Hung.Add(1)
	go n.work(ctx)
}

func (n *namer) work(ctx context.Context) {
	for {
		var name *naming
		select {
		case name = <-n.asked:
		case <-ctx.Done():
			return
		}
		if time.Since(name.asked) >= n.cfg.NamingWait {
			// Nobody waits for it any more, and nobody would replace this worker.
			name.skipped.Store(true)
			continue
		}
		n.mu.Lock()
		name.taken = true
		n.mu.Unlock()
		if n.name(ctx, name) {
			return // replaced meanwhile
		}
	}
}

// name asks for one name and says whether it came too late.
func (n *namer) name(ctx context.Context, name *naming) (late bool) {
	limited, cancel := context.WithTimeout(ctx, n.cfg.NamingWait)
	name.app = n.cfg.Identifier.Identify(limited, name.process)
	cancel()
	if name.process.UID != procmon.NoUID {
		name.user = n.cfg.Users.Name(name.process.UID)
	}
	close(name.done)
	n.mu.Lock()
	defer n.mu.Unlock()
	if name.late {
		n.hung--
	}
	return name.late
}
