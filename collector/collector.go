package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
)

// Config wires a Collector. Store, JobEnds and JobShares may be nil: then runs
// are adopted anew after a restart, and jobs get no summary; without JobShares
// alone, the facts of ended jobs are still cleared away.
type Config struct {
	Host    string
	Boot    string // boot id
	Version string // of the program, for status records
	Capture string // name of the source, for status and loss records

	Source     Source
	Census     Census
	Clock      Clock
	Jobs       JobMapper
	Identifier Identifier
	Users      Users
	Sinks      []SinkConfig
	Store      Store
	JobEnds    JobEnds
	JobShares  JobShares
	Meter      Meter    // nil: no checkpoints
	JobMeter   JobMeter // nil: no summary tells what the kernel counted for the job

	Record          func(p *procmon.Process, job *procmon.Job) bool // whose runs are recorded
	Person          func(uid uint32) bool                           // whose are recorded anywhere
	StartAfter      time.Duration                                   // a run still going after this gives a start record
	CheckpointEvery time.Duration                                   // a run still going gives a checkpoint each such time; 0: 1 h
	NamingWait      time.Duration                                   // how long a record waits for its application; 0: 2 s
	FinalWait       time.Duration                                   // how long an ended process waits for its counters; 0: 2 s
	QueueBytes      int                                             // what may wait between source and Live
	Ready           func()                                          // called once, when what was alive at the start is known
	Logger          *slog.Logger
}

// Collector joins a source to its sinks.
type Collector struct {
	cfg      Config
	live     *Live
	events   *Queue[procmon.Event]
	naming   *namer
	outputs  []*output
	losses   lossBook
	counts   Counts
	jobCPU   *jobCPU     // nil: nobody could read or tell it
	jobsTurn turn        // to look for jobs that have ended
	books    Books       // nil: the source keeps none
	kept     *kept       // nil, likewise
	calls    chan func() // run by the loop between events

	pendingStart []*waiting // began and without a start record, oldest first
	seq          atomic.Uint64
	scanning     bool
	rescan       bool        // a census is asked for
	unseen       atomic.Bool // an event found no room: what is alive may be another than known
	saving       bool        // live runs are being saved
	changed      bool        // something happened since they were
	saved, hour  time.Time   // when live runs were last saved, and the last hourly status
	saveTook     time.Duration
	checks       checks
}

// New makes a Collector. Nothing runs before Run.
func New(cfg Config) *Collector {
	if cfg.NamingWait == 0 {
		cfg.NamingWait = 2 * time.Second
	}
	if cfg.CheckpointEvery == 0 {
		cfg.CheckpointEvery = time.Hour
	}
	if cfg.FinalWait == 0 {
		cfg.FinalWait = 2 * time.Second
	}
	c := &Collector{cfg: cfg, events: NewQueue[procmon.Event](cfg.QueueBytes), calls: make(chan func()), jobsTurn: newTurn()}
	live := LiveConfig{
		Readers: cfg.Source.Readers(), Job: cfg.Jobs.Job, Record: cfg.Record, Person: cfg.Person,
		Wall: cfg.Clock.Wall, Alive: cfg.Census.Alive,
	}
	if cfg.Source.Finals() {
		live.FinalWait = procmon.BootNS(cfg.FinalWait)
	}
	if c.books, live.Books = cfg.Source.(Books); live.Books {
		c.kept = &kept{books: c.books}
	}
	if cfg.JobMeter != nil && cfg.JobEnds != nil && cfg.JobShares != nil {
		c.jobCPU = newJobCPU(cfg.JobMeter)
	}
	c.live = NewLive(live)
	for _, s := range cfg.Sinks {
		c.outputs = append(c.outputs, newOutput(s, &c.losses, cfg.Logger))
	}
	c.naming = newNamer(&c.cfg, &c.counts, &c.losses, c.send)
	return c
}

// Run collects until ctx ends, then drains what it has within the time that
// drain allows, and closes the sinks. It fails when the source fails.
func (c *Collector) Run(ctx context.Context, drain time.Duration) error {
	if err := c.resume(ctx); err != nil {
		return err
	}
	var outputs, stages sync.WaitGroup
	sinkCtx, stopSinks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSinks()
	for _, o := range c.outputs {
		outputs.Go(func() { o.run(sinkCtx) })
	}
	namingDone := make(chan struct{})
	go func() { defer close(namingDone); c.naming.run(sinkCtx) }()
	c.status("start")

	sourceCtx, stopSource := context.WithCancel(ctx)
	defer stopSource()
	failed := make(chan error, 1)
	stages.Go(func() { failed <- c.cfg.Source.Run(sourceCtx, c.emitter(ctx, drain)) })
	c.census(sourceCtx, &stages)
	if c.cfg.JobEnds != nil {
		stages.Go(func() { c.watchJobs(sourceCtx) })
	}
	if c.jobCPU != nil {
		stages.Go(func() { c.jobCPU.run(sourceCtx) })
	}
	err := c.loop(ctx, sourceCtx, failed, &stages)
	stopSource()
	c.finish(&stages, namingDone, drain)
	time.AfterFunc(drain, stopSinks)
	outputs.Wait()
	for _, o := range c.outputs {
		if o.abandoned > 0 { // nobody is left to be told but the log
			c.cfg.Logger.Error("stopped before everything was written", "sink", o.Name, "records", o.abandoned)
		}
		err = errors.Join(err, o.Sink.Close())
	}
	if c.kept != nil {
		c.kept.flush()
	}
	return err
}

// resume takes up what an earlier collector left.
func (c *Collector) resume(ctx context.Context) error {
	if err := c.resumeBooks(ctx); err != nil {
		return err
	}
	if c.cfg.Store == nil {
		return nil
	}
	mine, others, err := c.cfg.Store.Live(ctx)
	if err != nil {
		return fmt.Errorf("read live runs: %w", err)
	}
	seen, err := c.cfg.Store.LastSeen(ctx)
	if err != nil {
		return fmt.Errorf("read last time: %w", err)
	}
	now := time.Now()
	c.live.Restore(mine, c.cfg.Clock.Now()-procmon.BootNS(max(0, now.Sub(seen))))
	for i := range others { // of a boot that is over: the machine went down with them
		r := others[i].Run
		r.Unknown, r.End = true, seen
		for _, t := range []time.Time{r.Start, others[i].Told} {
			if r.End.Before(t) {
				r.End = t
			}
		}
		if others[i].Booked != (procmon.Usage{}) {
			r.Usage = atLeast(&others[i].Booked, r.Usage)
		}
		c.naming.put(&pending{run: &r, name: c.naming.ask(r.Process), phase: endPhase(!others[i].Silent), boot: r.Process.Boot, at: now})
	}
	if !seen.IsZero() && (c.books == nil || !c.books.Continues()) {
		c.losses.add(procmon.Loss{CPU: -1, From: seen, To: now, Reason: procmon.LossStopped, Where: c.cfg.Capture})
	}
	return nil
}

func (c *Collector) loop(ctx, sourceCtx context.Context, failed <-chan error, stages *sync.WaitGroup) error {
	tick := time.NewTimer(until(time.Second))
	defer tick.Stop()
	c.saved, c.hour = time.Now(), time.Now()
	quiet := false
	var buf []procmon.Event
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("source %s ended: %w", c.cfg.Capture, err)
		case f := <-c.calls:
			f()
		case <-c.events.Ready():
			buf = c.events.Pop(buf[:0], 4096)
			c.apply(buf)
			clear(buf)
		case now := <-tick.C:
			c.tick(sourceCtx, now, stages)
			quiet = !c.busy() && !c.jobCPU.busy()
			if quiet {
				tick.Reset(until(quietTick))
			} else {
				tick.Reset(until(time.Second))
			}
		}
		if quiet && c.busy() {
			quiet = false
			tick.Reset(until(time.Second))
		}
	}
}

// busy says whether there is something to do at the next second.
func (c *Collector) busy() bool {
	return c.changed || len(c.pendingStart) > 0 || c.rescan || c.scanning || c.saving || c.checks.measuring || c.checks.measured != nil
}

// tick does what is due at a time of day.
func (c *Collector) tick(ctx context.Context, now time.Time, stages *sync.WaitGroup) {
	c.tell(now)
	c.checkpoint(ctx, stages)
	if c.kept != nil {
		c.kept.flush()
	}
	c.rescan = c.unseen.Swap(false) || c.rescan
	if c.rescan && !c.scanning {
		c.rescan = false
		c.census(ctx, stages)
	}
	if c.cfg.Store != nil && !c.saving && c.saveDue(now.Sub(c.saved)) {
		c.saved, c.changed = now, false
		c.saveBeside(ctx, stages)
	}
	if now.Sub(c.hour) >= time.Hour {
		c.hour = now
		c.status("hourly")
	}
	c.jobsTurn.give()
	if c.jobCPU.busy() {
		c.jobCPU.turn.give()
	}
}

func (c *Collector) apply(events []procmon.Event) {
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case procmon.EventLost:
			c.losses.add(*e.Loss)
			c.rescan = c.rescan || asksForCensus(e.Loss.Reason)
		case procmon.EventUntold:
			c.rescan = true
		case procmon.EventMark:
			c.live.Apply(e)
			continue
		case procmon.EventExec:
			c.counts.Execs.Add(1)
			c.live.Apply(e)
		default:
			c.live.Apply(e)
		}
		c.changed = true
	}
	c.advance()
}

// asksForCensus says whether after such a loss the picture of what is alive may
// be wrong.
func asksForCensus(reason string) bool {
	switch reason {
	case procmon.LossBuffer, procmon.LossRing, procmon.LossMissed, procmon.LossQueue:
		return true
	}
	return false
}

func (c *Collector) advance() { c.take(c.live.Advance()) }

// take sees to what has changed.
func (c *Collector) take(changes []Change) {
	for _, ch := range changes {
		r := ch.run
		if !ch.ended {
			c.counts.Runs.Add(1)
			c.jobCPU.met(&r.Run)
			r.name = c.naming.ask(r.Process)
			if !r.startSent {
				r.waiting = &waiting{run: r, since: time.Now()}
				c.pendingStart = append(c.pendingStart, r.waiting)
			}
			continue
		}
		if r.waiting != nil {
			r.waiting.run = nil // a run that is over is not kept alive by the queue
		}
		if r.name == nil || r.name.skipped.Load() {
			r.name = c.naming.ask(r.Process)
		}
		c.naming.put(&pending{run: &r.Run, name: r.name, phase: endPhase(r.startSent), boot: c.cfg.Boot, at: r.End, receipt: c.receipt(r)})
	}
	for _, u := range c.live.Untold() {
		c.losses.count(procmon.LossRing, c.cfg.Capture, u.CPU, 1, c.cfg.Clock.Wall(u.At))
	}
	if ids := c.live.Settled(); len(ids) > 0 {
		c.kept.add(ids...)
	}
	if n := c.live.UsageLost(); n > 0 {
		c.losses.count(procmon.LossUsage, c.cfg.Capture, -1, n, time.Now())
	}
	if n := c.live.Unread(); n > 0 {
		c.losses.count(procmon.LossStuck, "census", -1, n, time.Now())
	}
	c.counts.Misread.Add(c.live.Misread())
	c.counts.Live.Store(uint64(c.live.Processes()))
}

func endPhase(started bool) procmon.Phase {
	if started {
		return procmon.End
	}
	return procmon.Whole
}

// waiting is a run that may get a start record.
type waiting struct {
	run   *run // nil: it has ended
	since time.Time
}

// maxStarts is how many start records are made in a second.
const maxStarts = 1000

// tell does what is due at a time of day: start records and losses.
func (c *Collector) tell(now time.Time) {
	n := 0
	sent := 0
	for _, w := range c.pendingStart {
		r := w.run
		if r == nil {
			n++
			continue // ended within StartAfter: one record tells it whole
		}
		// An adopted run may have begun long ago: what counts is how long it is known.
		if now.Sub(w.since) < c.cfg.StartAfter {
			break
		}
		if r.name == nil || r.name.skipped.Load() {
			r.name = c.naming.ask(r.Process)
		}
		// Thousands may be due at once, after a start on a full node. They can
		// wait for room; what ends can't.
		run := r.Run // it goes on to change
		if sent >= maxStarts || !c.naming.offer(&pending{run: &run, name: r.name, phase: procmon.Start, boot: c.cfg.Boot, at: r.Start}) {
			break
		}
		r.startSent, r.waiting = true, nil
		n++
		sent++
	}
	rest := copy(c.pendingStart, c.pendingStart[n:])
	clear(c.pendingStart[rest:])
	c.pendingStart = c.pendingStart[:rest]
	c.tellLosses()
}

func (c *Collector) tellLosses() {
	for _, l := range c.losses.take() {
		c.counts.lost(&l)
		c.cfg.Logger.Warn("lost", "count", l.Count, "reason", l.Reason, "where", l.Where, "from", l.From, "to", l.To)
		c.deliver(procmon.Record{Time: l.To, Loss: &l})
	}
}

func (c *Collector) status(action string) {
	c.deliver(procmon.Record{Time: time.Now(), Status: &procmon.Status{
		Action: action, Version: c.cfg.Version, Source: c.cfg.Capture, Counts: c.Stats(),
	}})
}

// deliver gives a record to every output.
func (c *Collector) deliver(r procmon.Record) {
	r.Boot = c.cfg.Boot
	r.Seq = c.seq.Add(1)
	c.send(item{record: r})
}

func (c *Collector) send(it item) {
	it.record.Host = c.cfg.Host
	for _, o := range c.outputs {
		o.push(it)
	}
}
