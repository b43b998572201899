package history

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"procmon"
)

// startAfter and checkpointEvery are the daemon's own.
const (
	startAfter      = 10 * time.Second
	checkpointEvery = time.Hour
)

// slotsPerHost is how many jobs of a host overlap.
const slotsPerHost = 8

type host struct {
	name, boot string
	pid        int32
}

// Generator makes records one after another, in the order of their times.
type Generator struct {
	mix  Mix
	dice dice

	people                []person
	active, kinds         shares
	toolUse               shares
	apps, tools, builders [][]*program
	launchers             [][]*program
	hosts                 []host

	now       time.Time
	dayEnds   time.Time
	gap       time.Duration // between runs, on the average of this day
	slots     []*job
	arrays    []*job // with tasks to come
	jobs      int
	begun     int // runs
	fresh     int // of them with a new command line
	pending   queue
	order     uint64
	accounted []procmon.Accounted
}

// New makes a generator. Runs, Span, Hosts and Users of the mix must be positive.
func New(m Mix) *Generator {
	d := dice{rand.New(rand.NewPCG(m.Seed, 0x70726d6e))}
	g := &Generator{mix: m, dice: d, now: m.Start, dayEnds: m.Start, jobs: m.Jobs}
	g.people = newPeople(d, m.Users)
	g.active = zipf(m.Users, 1.05)
	g.kinds = newShares(len(jobKinds), func(i int) float64 { return jobKinds[i].weight })
	g.toolUse = zipf(len(tools), 0.8)
	g.apps, g.tools, g.builders, g.launchers = releases(applications), releases(tools), releases(builders), releases(launchers)
	for i := range m.Hosts {
		g.hosts = append(g.hosts, host{name: fmt.Sprintf("node%03d", i+1), boot: fmt.Sprintf("%08x-0000-4000-8000-%012x", m.Seed, i), pid: 2000})
	}
	g.slots = make([]*job, m.Hosts*slotsPerHost)
	return g
}

// Next gives the next record, false after the last.
func (g *Generator) Next() (procmon.Record, bool) {
	for g.begun < g.mix.Runs && (len(g.pending) == 0 || !g.pending[0].record.Time.Before(g.now)) {
		g.step()
	}
	if g.begun >= g.mix.Runs {
		for i, j := range g.slots {
			if j != nil {
				g.finish(j)
				g.slots[i] = nil
			}
		}
	}
	if len(g.pending) == 0 {
		return procmon.Record{}, false
	}
	return heap.Pop(&g.pending).(entry).record, true
}

// Batch gives the next n records, fewer only at the end.
func (g *Generator) Batch(n int) []procmon.Record {
	all := make([]procmon.Record, 0, n)
	for len(all) < n {
		r, ok := g.Next()
		if !ok {
			break
		}
		all = append(all, r)
	}
	return all
}

// Accounted gives what accounting says of the jobs that ended since the last call.
func (g *Generator) Accounted() []procmon.Accounted {
	a := g.accounted
	g.accounted = nil
	return a
}

// step lets one run begin.
func (g *Generator) step() {
	if !g.now.Before(g.dayEnds) {
		g.nextDay()
	}
	g.now = g.now.Add(time.Duration(g.dice.ExpFloat64()*float64(g.gap)) + time.Microsecond).Truncate(time.Microsecond)
	slot := g.slot()
	j := g.slots[slot]
	g.begun++
	g.run(j)
	if j.left--; j.left == 0 {
		g.finish(j)
		g.slots[slot] = nil
	}
}

// slot chooses whose run is next: jobs of many runs go faster.
func (g *Generator) slot() int {
	sum := 0.0
	for i, j := range g.slots {
		if j == nil {
			j = g.begin()
			g.slots[i] = j
		}
		sum += j.weight
	}
	x := g.dice.Float64() * sum
	for i, j := range g.slots {
		if x -= j.weight; x < 0 {
			return i
		}
	}
	return len(g.slots) - 1
}

// nextDay draws how busy the next day is. What the days before had too much or
// too little is made up for.
func (g *Generator) nextDay() {
	g.dayEnds = g.dayEnds.AddDate(0, 0, 1)
	left := math.Max(1, math.Ceil(float64(g.mix.End().Sub(g.now))/float64(24*time.Hour)))
	runs := float64(g.mix.Runs-g.begun) / left
	if left > 1 {
		runs *= math.Exp(0.4*g.dice.NormFloat64() - 0.08)
		if wd := g.now.Weekday(); wd == time.Saturday || wd == time.Sunday {
			runs *= 0.6
		}
	}
	g.gap = time.Duration(float64(min(24*time.Hour, g.mix.Span)) / math.Max(runs, 1))
}

// passed is the part of the time that has passed, 0 to 1.
func (g *Generator) passed() float64 { return float64(g.now.Sub(g.mix.Start)) / float64(g.mix.Span) }

// later queues a record until its time.
func (g *Generator) later(r procmon.Record) {
	g.order++
	heap.Push(&g.pending, entry{r, g.order})
}

// entry is a record to come; equal times keep their order.
type entry struct {
	record procmon.Record
	order  uint64
}

// queue is a heap of records by time.
type queue []entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if c := q[i].record.Time.Compare(q[j].record.Time); c != 0 {
		return c < 0
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = entry{}
	*q = old[:len(old)-1]
	return last
}
