package collector

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"procmon"
)

// Checkpoints tell, every hour of a run's life, what it has used so far. In one
// second of the loop runs that are due are picked, beside the loop they are
// measured, and when everything up to that moment is applied they are told:
// then it is known that what was measured was still the run's.

// checks is where checkpoints stand.
type checks struct {
	next      procmon.BootNS // when to look again for runs that are due
	measuring bool
	measured  []*check // to be told once everything before at is applied
	at        procmon.BootNS
}

// check is a run that is due.
type check struct {
	run   *run
	first *proc // its first process when it was picked
	live  procmon.LiveRun
	usage procmon.Usage // zero: not known
}

// maxChecks is how many runs are measured and told in a second.
const maxChecks = 1000

// checkpoint does the next step. It is called once a second.
func (c *Collector) checkpoint(ctx context.Context, stages *sync.WaitGroup) {
	s := &c.checks
	if c.cfg.Meter == nil || s.measuring {
		return
	}
	if s.measured != nil {
		if c.live.Applied() <= s.at {
			c.hurry()
			return
		}
		c.tellChecks(s.measured, s.at)
		s.measured = nil
	}
	now, every := c.cfg.Clock.Now(), procmon.BootNS(c.cfg.CheckpointEvery)
	if now < s.next {
		return
	}
	due := c.live.due(now, every, maxChecks)
	if len(due) < maxChecks {
		s.next = now + every/60 // to look takes a walk over all processes: not every second
	}
	if len(due) > 0 {
		c.measure(ctx, stages, due)
	}
}

// measure asks what runs have used, beside the loop.
func (c *Collector) measure(ctx context.Context, stages *sync.WaitGroup, due []*check) {
	runs := make([]procmon.LiveRun, len(due))
	for i := range due {
		runs[i] = due[i].live
	}
	c.checks.measuring = true
	stages.Go(func() {
		usages, err := c.cfg.Meter.Measure(ctx, runs)
		at := c.cfg.Clock.Now()
		if err != nil && ctx.Err() == nil {
			c.cfg.Logger.Error("what runs have used so far can't be read; it is tried again", "error", err)
		}
		c.call(ctx, func() {
			c.checks.measuring = false
			if err != nil {
				c.checks.next = at + procmon.BootNS(c.cfg.CheckpointEvery/60)
				return
			}
			for i, u := range usages {
				due[i].usage = u
			}
			c.checks.measured, c.checks.at = due, at
		})
	})
}

// tellChecks makes the records of runs that were measured at a time. Everything
// up to then is applied.
func (c *Collector) tellChecks(measured []*check, at procmon.BootNS) {
	for _, m := range measured {
		r := m.run
		if !r.End.IsZero() {
			continue
		}
		if r.first != m.first {
			// It may have exec'ed before it was read: what was read is then
			// partly another run's.
			c.checks.next = 0
			continue
		}
		if r.name == nil || r.name.skipped.Load() {
			r.name = c.naming.ask(r.Process)
		}
		run := r.Run
		run.Usage = soFar(m.usage, r.Usage)
		p := &pending{run: &run, name: r.name, phase: procmon.Checkpoint, boot: c.cfg.Boot, at: timeOf(r, at)}
		if !c.naming.offer(p) { // it can wait for room; what ends can't
			c.checks.next = 0
			return
		}
		r.told, r.Usage, r.due = p.at, run.Usage, nextCheck(r, procmon.BootNS(c.cfg.CheckpointEvery), at)
	}
}

// due picks runs of which a checkpoint is due, the longest due first, but not
// those of which no start was told.
func (l *Live) due(at, every procmon.BootNS, most int) []*check {
	runs := l.overdue(at, every)
	runs = runs[:min(len(runs), most)]
	due := make([]*check, len(runs))
	picked := make(map[*run]*check, len(runs))
	for i, r := range runs {
		due[i] = &check{run: r, first: r.first, live: procmon.LiveRun{Run: r.Run, Booked: r.booked}}
		picked[r] = due[i]
	}
	if len(due) == 0 {
		return nil
	}
	for _, pr := range l.procs {
		if m := picked[pr.run]; m != nil {
			m.live.Owned = append(m.live.Owned, procmon.Owned{ID: pr.id, Since: pr.since})
		}
	}
	return due
}

// overdue gives every run of which a checkpoint is due, the longest due first.
func (l *Live) overdue(at, every procmon.BootNS) []*run {
	var runs []*run
	seen := map[*run]bool{}
	look := func(r *run) {
		if r.due == 0 {
			r.due = nextCheck(r, every, at)
		}
		if r.startSent && r.due <= at && !seen[r] {
			seen[r] = true
			runs = append(runs, r)
		}
	}
	for _, pr := range l.procs {
		look(pr.run)
	}
	for _, r := range l.runs { // with Books
		look(r)
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.Process.Run.Process.PID, b.Process.Run.Process.PID))
	})
	return runs
}

// nextCheck is when the next checkpoint of a run is due: whole periods after
// its beginning, so that those of a node come as its runs began.
func nextCheck(r *run, every, now procmon.BootNS) procmon.BootNS {
	start := began(r.Process.Run)
	if now < start {
		return start + every
	}
	return start + every*((now-start)/every+1)
}

// timeOf is a moment of a run's life, reckoned from its start by the kernel's
// clock: the time of day may have been set meanwhile.
func timeOf(r *run, at procmon.BootNS) time.Time {
	if start := began(r.Process.Run); at > start {
		return r.Start.Add(time.Duration(at - start))
	}
	return r.Start
}

// soFar is what a checkpoint tells: what was measured, in whole microseconds,
// as stores keep it, and never less than the checkpoint before it told.
func soFar(u procmon.Usage, told *procmon.Usage) *procmon.Usage {
	if u == (procmon.Usage{}) { // a process has some memory at least
		return told
	}
	u.User, u.System = u.User.Truncate(time.Microsecond), u.System.Truncate(time.Microsecond)
	return atLeast(&u, told)
}

// atLeast is usage raised to what was told of its run before. While a run goes
// on its CPU time comes in ticks, and its split between user and system from
// another sample than at its end, so that what is exact in the end may be a
// tick less. The days add up what each record tells more than the one before
// it: a lesser one would take away from a day that is over.
func atLeast(usage, told *procmon.Usage) *procmon.Usage {
	if usage == nil || told == nil {
		return cmp.Or(usage, told)
	}
	u := *usage
	cpu := max(u.CPU(), told.CPU())
	u.User = min(max(u.User, told.User), cpu-told.System) // the sum stays exact where it can
	u.System = cpu - u.User
	u.MaxRSS = max(u.MaxRSS, told.MaxRSS)
	u.Read = max(u.Read, told.Read)
	u.Write = max(u.Write, told.Write)
	return &u
}
