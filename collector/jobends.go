package collector

import (
	"context"
	"time"

	"procmon"
)

// jobGrace is how long a summary waits for runs that outlive their job's end.
const jobGrace = 10 * time.Second

// watchJobs writes the summary of each job that has ended on this host, once
// its runs are written. Jobs that ended while no collector ran are found the
// same way.
func (c *Collector) watchJobs(ctx context.Context) {
	since := map[procmon.JobKey]time.Time{}
	said := "" // the last error, told once
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.jobsTurn:
		}
		ended, err := c.endedJobs(ctx)
		if err != nil {
			if said != err.Error() && ctx.Err() == nil {
				said = err.Error()
				c.cfg.Logger.Error("job facts can't be read", "error", err)
			}
			continue
		}
		said = ""
		now := time.Now()
		waiting := map[procmon.JobKey]time.Time{}
		for i := range ended {
			key := ended[i].Job.Key()
			first, ok := since[key]
			if !ok {
				first = now
			}
			if !c.jobIsQuiet(ctx, key) && now.Sub(first) < jobGrace {
				waiting[key] = first
				continue
			}
			if err := c.summarise(ctx, ended[i]); err != nil {
				waiting[key] = first
				if ctx.Err() == nil {
					c.cfg.Logger.Error("job summary not written yet", "job", key.RawID, "error", err)
				}
			}
		}
		since = waiting
	}
}

func (c *Collector) endedJobs(ctx context.Context) ([]procmon.JobSummary, error) {
	if err := c.cfg.JobEnds.Refresh(ctx); err != nil {
		return nil, err
	}
	return c.cfg.JobEnds.Ended(ctx)
}

// jobIsQuiet says whether no run of a job goes on, as of all that has happened
// before the call.
func (c *Collector) jobIsQuiet(ctx context.Context, key procmon.JobKey) bool {
	quiet := false
	c.call(ctx, func() { quiet = c.live.RunsOf(key) == 0 })
	return quiet
}

// summarise writes one job's summary: the facts that were given, and what its
// runs on this host add up to.
func (c *Collector) summarise(ctx context.Context, s procmon.JobSummary) error {
	if c.cfg.JobShares == nil {
		return c.cfg.JobEnds.Done(s.Job.Key()) // nobody could say what its runs add up to
	}
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := c.Flush(limited); err != nil {
		return err
	}
	share, err := c.cfg.JobShares.JobShare(limited, s.Job.Key())
	if err != nil {
		return err
	}
	s.Runs, s.Failed, s.Usage, s.Applications, s.Exits = share.Runs, share.Failed, share.Usage, share.Applications, share.Exits
	c.call(limited, func() { s.Surviving, s.Survivors = c.live.Survivors(s.Job.Key(), procmon.MaxSurvivors) })
	s.CgroupCPU, s.CgroupRead = c.jobCPU.of(s.Job.Key())
	at := s.End
	if at.IsZero() {
		at = time.Now()
	}
	c.deliver(procmon.Record{Time: at, Summary: &s})
	if err := c.settle(limited); err != nil {
		return err
	}
	c.counts.Jobs.Add(1)
	c.jobCPU.forget(s.Job.Key())
	return c.cfg.JobEnds.Done(s.Job.Key())
}
