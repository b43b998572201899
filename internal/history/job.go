package history

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"procmon"
)

// jobKind is how jobs of one kind are drawn.
type jobKind struct {
	name   string
	weight float64 // of jobs
	runs   func(d dice) int
}

const (
	small = iota
	array
	mpi
	build
	pipeline
	login // no job at all: somebody at a shell
)

var jobKinds = []jobKind{
	small:    {"small", 50, func(d dice) int { return d.from(6, 50) }},
	array:    {"array", 4, func(d dice) int { return d.from(4, 14) }}, // a task, of which there are many
	mpi:      {"mpi", 14, func(d dice) int { return 6 + d.from(1, 16)*d.from(1, 8) }},
	build:    {"build", 1, func(d dice) int { return d.pareto(120, 1.2, 5000) }},
	pipeline: {"pipeline", 6, func(d dice) int { return d.pareto(150, 1.1, 50000) }},
	login:    {"login", 6, func(d dice) int { return d.from(3, 40) }},
}

// most tasks of one array.
const mostTasks = 1000

// job is a job that has not all its runs yet.
type job struct {
	kind    int
	who     *person
	main    *program // what it was submitted for
	facts   procmon.Job
	hosts   []*host
	cores   int
	left    int // runs still to come
	weight  float64
	began   time.Time
	ends    time.Time // of the run that ended last
	cpu     time.Duration
	shell   procmon.RunID // runs the script
	task    int           // of its array
	scripts int           // how many the user has for it
	lines   []ownLine     // that its runs had, some
}

// begin starts a job on some hosts: the next task of an array that goes on, or a new one.
func (g *Generator) begin() *job {
	var j *job
	if n := len(g.arrays); n > 0 && g.dice.chance(0.8) {
		j = g.arrays[g.dice.IntN(n)]
		next := *j
		next.task++
		j.task++
		if j.task >= j.scripts {
			g.dropArray(j)
		}
		j = &next
		j.began, j.ends, j.cpu, j.shell = time.Time{}, time.Time{}, 0, procmon.RunID{}
		j.lines = slices.Clone(j.lines)
	} else {
		j = g.newJob()
	}
	j.left = jobKinds[j.kind].runs(g.dice)
	j.weight = math.Pow(float64(j.left), 0.7)
	j.hosts = g.place(j.kind)
	if j.kind != login {
		g.number(j)
	}
	return j
}

func (g *Generator) dropArray(j *job) {
	g.arrays = slices.DeleteFunc(g.arrays, func(a *job) bool { return a == j })
}

func (g *Generator) newJob() *job {
	d := g.dice
	who := &g.people[g.active.draw(d)]
	j := &job{kind: g.kinds.draw(d), who: who, cores: 1 << d.IntN(5)}
	switch {
	case j.kind == build:
		j.main = who.version(d, g.builders[0], g.passed())
	case d.chance(0.08):
		j.main = who.own
	default:
		j.main = who.version(d, g.apps[who.favourites[d.IntN(len(who.favourites))]], g.passed())
	}
	if j.kind == array {
		j.scripts = d.pareto(20, 1, mostTasks)
		pattern := *j
		pattern.facts.ArrayJob = strconv.Itoa(g.jobs + 1)
		g.arrays = append(g.arrays, &pattern)
		j.facts.ArrayJob = pattern.facts.ArrayJob
	}
	return j
}

// place chooses the hosts of a job.
func (g *Generator) place(kind int) []*host {
	n := 1
	if kind == mpi {
		n = min(1+g.dice.IntN(4)*g.dice.IntN(2), len(g.hosts))
	}
	first := g.dice.IntN(len(g.hosts))
	hosts := make([]*host, n)
	for i := range hosts {
		hosts[i] = &g.hosts[(first+i)%len(g.hosts)]
	}
	return hosts
}

var jobNames = []string{"run", "md", "relax", "train", "align", "job.sh", "test", "prod", "sweep", "wrap"}

// number gives a job what its scheduler says of it.
func (g *Generator) number(j *job) {
	g.jobs++
	f := &j.facts
	f.Scheduler, f.Cluster = "slurm", "c1"
	f.RawID = strconv.Itoa(g.jobs)
	f.ID = f.RawID
	if f.ArrayJob != "" {
		f.ArrayTask = strconv.Itoa(j.task)
		f.ID = f.ArrayJob + "_" + f.ArrayTask
	}
	f.User, f.UID, f.Account = j.who.name, j.who.uid, j.who.account
	f.Partition = []string{"cpu", "cpu", "cpu", "long", "gpu"}[g.dice.IntN(5)]
	f.Name = fmt.Sprintf("%s%d", jobNames[g.dice.IntN(len(jobNames))], j.who.uid%7)
	f.Evidence = procmon.EvidenceCgroup
	for i := range f.By {
		f.By[i] = procmon.EvidenceFacts
	}
}

// finish tells that a job is over: by a summary of each host, and by accounting.
func (g *Generator) finish(j *job) {
	if j.kind == login || j.began.IsZero() {
		return
	}
	facts := j.facts
	end := j.ends
	if end.Before(g.now) {
		end = g.now
	}
	end = end.Add(time.Second)
	gpus := 0
	if facts.Partition == "gpu" {
		gpus = 1
	}
	shares := make([]procmon.HostShare, len(j.hosts))
	for i, h := range j.hosts {
		shares[i] = procmon.HostShare{Host: h.name, CPUs: j.cores, GPUs: gpus}
		s := &procmon.JobSummary{Job: facts, CPUs: j.cores, GPUs: gpus, Start: j.began, End: end}
		g.later(procmon.Record{Host: h.name, Boot: h.boot, Time: end, Summary: s})
	}
	for i := range facts.By {
		facts.By[i] = procmon.EvidenceAccounting
	}
	facts.Evidence = procmon.EvidenceNone
	n := len(j.hosts)
	g.accounted = append(g.accounted, procmon.Accounted{Job: facts, Allocation: procmon.Allocation{
		State: "COMPLETED", Over: true, Exit: &procmon.Exit{}, CPUs: n * j.cores, GPUs: n * gpus, Nodes: n, Hosts: shares,
		Submit: j.began.Add(-time.Minute), Start: j.began, End: end, Elapsed: end.Sub(j.began), CPU: j.cpu,
	}})
}
