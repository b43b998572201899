package collector

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"procmon"
)

// Counts are the collector's own figures, since its start.
type Counts struct {
	Execs   atomic.Uint64 // execve events, of every user
	Runs    atomic.Uint64 // runs recorded, adopted ones included
	Live    atomic.Uint64 // processes that belong to runs, now
	Lost    atomic.Uint64 // events lost, as far as their number is known
	Gaps    atomic.Uint64 // losses of which the number is not known
	Unnamed atomic.Uint64 // records that went out before their application was known
	Misread atomic.Uint64 // runs recorded without their image: read too late
	Hung    atomic.Uint64 // look-ups that did not come back in time
	Jobs    atomic.Uint64 // job summaries written

	mu     sync.Mutex // guards losses
	losses map[LossPlace]LossCount
}

// LossPlace is why and where something was lost.
type LossPlace struct{ Reason, Where string }

// LossCount is how much of it was told.
type LossCount struct {
	Events uint64 // as far as their number is known
	Gaps   uint64 // losses of which the number is not known
}

func (c *Counts) lost(l *procmon.Loss) {
	c.mu.Lock()
	if c.losses == nil {
		c.losses = map[LossPlace]LossCount{}
	}
	place := LossPlace{l.Reason, l.Where}
	n := c.losses[place]
	n.Events += l.Count
	if l.Count == 0 {
		n.Gaps++
	}
	c.losses[place] = n
	c.mu.Unlock()
	switch {
	case l.Count == 0:
		c.Gaps.Add(1)
	case l.Reason != procmon.LossForeign:
		c.Lost.Add(l.Count)
	}
}

// Stats gives the figures by their names in status records.
func (c *Collector) Stats() map[string]uint64 {
	n := &c.counts
	return map[string]uint64{
		"execs": n.Execs.Load(), "runs": n.Runs.Load(), "live_processes": n.Live.Load(), "lost": n.Lost.Load(),
		"gaps": n.Gaps.Load(), "unnamed": n.Unnamed.Load(), "hung_lookups": n.Hung.Load(), "job_summaries": n.Jobs.Load(), "misread": n.Misread.Load(),
	}
}

// Losses gives what was lost since the collector's start, by reason and place.
func (c *Collector) Losses() map[LossPlace]LossCount {
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	return maps.Clone(c.counts.losses)
}

// Describe is part of prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect is part of prometheus.Collector: the figures of Stats, as
// procmon_NAME, losses by reason and place, and what waits in the queues.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	gauges := map[string]bool{"live_processes": true}
	for name, value := range c.Stats() {
		kind, suffix := prometheus.CounterValue, "_total"
		if gauges[name] {
			kind, suffix = prometheus.GaugeValue, ""
		}
		desc := prometheus.NewDesc("procmon_"+name+suffix, "See docs/configuration.md, figures.", nil, nil)
		ch <- prometheus.MustNewConstMetric(desc, kind, float64(value))
	}
	events := prometheus.NewDesc("procmon_lost_events_total", "Events lost, by reason and place.", []string{"reason", "where"}, nil)
	gaps := prometheus.NewDesc("procmon_lost_gaps_total", "Losses of unknown number, by reason and place.", []string{"reason", "where"}, nil)
	for place, n := range c.Losses() {
		ch <- prometheus.MustNewConstMetric(events, prometheus.CounterValue, float64(n.Events), place.Reason, place.Where)
		ch <- prometheus.MustNewConstMetric(gaps, prometheus.CounterValue, float64(n.Gaps), place.Reason, place.Where)
	}
	waiting := prometheus.NewDesc("procmon_queue_records", "Records that wait for a sink.", []string{"sink"}, nil)
	for _, o := range c.outputs {
		ch <- prometheus.MustNewConstMetric(waiting, prometheus.GaugeValue, float64(o.queue.Len()), o.Name)
	}
}
