package collector

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"procmon"
)

// Bounds of jobCPU.
const (
	maxMetered   = 4096      // cgroups known at once
	readsASecond = 64        // of cgroups: the rest waits its turn; a reading costs some 20 µs
	keepReading  = time.Hour // how long after its cgroup went a job may get its summary
)

// JobMeter knows what the kernel counts for a job as a whole.
type JobMeter interface {
	// Cgroup gives the cgroup that all of a job has on this host, from a process
	// in it, if there is one. It answers from memory.
	Cgroup(p *procmon.Process, job *procmon.Job) (procmon.Cgroup, bool)
	// CPU reads the time that was used in a cgroup; it fails when that is gone.
	CPU(g procmon.Cgroup) (time.Duration, error)
}

// jobCPU reads the CPU time of jobs' cgroups in turn while they are there:
// schedulers remove them before they tell that the job has ended.
type jobCPU struct {
	meter JobMeter
	turn  turn // once a second

	mu    sync.Mutex // guards what follows
	known map[procmon.JobKey][]*reading
	count int // of readings in known
}

// reading is what was read of one cgroup last. A job has more than one only on
// a machine that runs several nodes' daemons.
type reading struct {
	job  procmon.JobKey
	of   procmon.Cgroup
	cpu  time.Duration
	at   time.Time // zero: not read yet
	gone time.Time // zero: it is there
}

func newJobCPU(m JobMeter) *jobCPU {
	return &jobCPU{meter: m, turn: newTurn(), known: map[procmon.JobKey][]*reading{}}
}

// met takes note of a run.
func (j *jobCPU) met(r *procmon.Run) {
	if j == nil || r.Job.None() {
		return
	}
	key := r.Job.Key()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.count >= maxMetered || slices.ContainsFunc(j.known[key], func(one *reading) bool { return one.holds(r.Process) }) {
		return
	}
	if g, ok := j.meter.Cgroup(r.Process, &r.Job); ok {
		g.Path = strings.Clone(g.Path) // all of the process's lines share their memory
		g.Controllers = strings.Clone(g.Controllers)
		j.known[key] = append(j.known[key], &reading{job: key, of: g})
		j.count++
	}
}

// holds says whether a process is in the cgroup.
func (one *reading) holds(p *procmon.Process) bool {
	for i := range p.Cgroups {
		c := &p.Cgroups[i]
		if rest, ok := strings.CutPrefix(c.Path, one.of.Path); ok && c.Controllers == one.of.Controllers && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// busy says whether there is anything to read.
func (j *jobCPU) busy() bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count > 0
}

// run reads when it is its turn. It waits for nobody: a summary that can't be written
// now must not keep the other jobs from being read.
func (j *jobCPU) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.turn:
			j.sample(time.Now())
		}
	}
}

// sample reads the cgroups that were not read for the longest time.
func (j *jobCPU) sample(now time.Time) {
	for _, one := range j.due(now) {
		cpu, err := j.meter.CPU(one.of)
		j.mu.Lock()
		if err != nil {
			one.gone = now
		} else {
			one.cpu, one.at = cpu, now
		}
		j.mu.Unlock()
	}
}

// due gives the readings whose turn it is, and drops those of jobs that nobody
// asked for.
func (j *jobCPU) due(now time.Time) []*reading {
	j.mu.Lock()
	defer j.mu.Unlock()
	var due []*reading
	for key, all := range j.known {
		for _, one := range all {
			switch {
			case one.gone.IsZero():
				due = append(due, one)
			case now.Sub(one.gone) > keepReading:
				j.drop(key)
			}
		}
	}
	slices.SortFunc(due, func(a, b *reading) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.of.Path, b.of.Path)) })
	return due[:min(len(due), readsASecond)]
}

// drop forgets a job. The caller holds mu.
func (j *jobCPU) drop(key procmon.JobKey) {
	j.count -= len(j.known[key])
	delete(j.known, key)
}

// of gives what was counted for a job, and until when: the earliest of its
// readings. A zero time: it is not known.
func (j *jobCPU) of(key procmon.JobKey) (cpu time.Duration, until time.Time) {
	if j == nil {
		return 0, time.Time{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, one := range j.known[key] {
		if one.at.IsZero() {
			return 0, time.Time{}
		}
		cpu += one.cpu
		if i == 0 || one.at.Before(until) {
			until = one.at
		}
	}
	return cpu, until
}

// forget is called when a job's summary is written.
func (j *jobCPU) forget(key procmon.JobKey) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drop(key)
}
