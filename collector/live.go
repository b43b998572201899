package collector

import (
	"bytes"
	"math"
	"slices"
	"time"

	"procmon"
)

// LiveConfig is what Live asks of others. The functions are called from within
// Advance; all but Alive must be quick.
type LiveConfig struct {
	Readers   int            // of the source
	FinalWait procmon.BootNS // how long an ended process waits for its counters; 0: the source has none
	Books     bool           // the source keeps the books of runs: it tells when one is over
	Job       func(p *procmon.Process, parent procmon.Job) procmon.Job
	Record    func(p *procmon.Process, job *procmon.Job) bool // whose runs are recorded
	Person    func(uid uint32) bool                           // whose processes are recorded anywhere
	Wall      func(procmon.BootNS) time.Time
	Alive     func(procmon.ProcessID) bool // asked of a process that ended without counters
}

// Live knows the runs that go on. It is told of events, in any order between
// readers, and applies them in the order of their times once every reader has
// marked that nothing older can come. It has no clock and does no I/O.
//
// A run owns its process, and what is forked from it until that execs. It ends
// when the last process that it owns has ended or exec'ed.
type Live struct {
	cfg   LiveConfig
	marks []procmon.BootNS // one a reader; the last is the census
	held  []procmon.Event  // in the order in which they came
	order []dated          // room for applyUntil

	procs   map[int32]*proc
	runs    map[procmon.RunID]*run     // with Books: those that go on
	closed  map[procmon.RunID]struct{} // with Books: not over, and not recorded
	jobs    map[procmon.JobKey]int     // live runs of each job
	leaving []leaving
	expired procmon.BootNS // when leaving was last looked through
	changes []Change
	told    bool // changes were returned by the last Advance

	restored   []*run           // of an earlier collector, until the first census is complete
	restoredBy map[int32][]*run // the same by pid, made when first asked for
	seen       procmon.BootNS   // when that one surely still looked
	untold     []Untold
	settled    []procmon.RunID
	exiting    []exiting       // with Books: in the order of their exits; those that are over meanwhile as well
	orphans    []procmon.Event // found, forked, and their parent not known yet
	scan       uint64          // number of the census going on or last
	usageLost  uint64
	unread     uint64 // found alive, and not to be read
	misreads   uint64 // read too late: recorded without their image
	liveBytes  int    // what live runs hold, about
	applied    procmon.BootNS
}

// Change is something that happened to a run.
type Change struct {
	run   *run
	ended bool // false: it began
}

// run is a run that goes on.
type run struct {
	procmon.Run
	first     *proc          // its first process, nil once that ended or exec'ed
	owned     int            // live processes
	last      procmon.BootNS // when it lost one last
	booked    procmon.Usage
	measured  bool           // booked holds something that was measured
	startSent bool           // its start line is out
	due       procmon.BootNS // when its next checkpoint is due; 0: not reckoned yet
	void      bool           // it never was: it is not told
	renamed   procmon.RunID  // with Books: by which they know it; zero: by its own
	told      time.Time      // of its last checkpoint
	waiting   *waiting       // nil: it waits for no start record
	cost      int            // bytes that it holds in memory, about
	name      *naming
}

// proc is a live process that belongs to a run.
type proc struct {
	id    procmon.ProcessID
	run   *run
	since procmon.Counters // its counters when the run got it
	scan  uint64           // the last census that met it, or that was going on when it came
	unmet bool             // of an earlier collector, and not found yet

	exited, final bool
	exitAt        procmon.BootNS
	exit          procmon.Exit
	finalAt       procmon.BootNS
	used          procmon.Counters
}

// leaving is a process of which only one of exit and counters has come.
type leaving struct {
	proc     *proc
	deadline procmon.BootNS
}

// exiting is a run that has exited. It does not keep the run in memory: one that
// is told late stands before thousands that are over.
type exiting struct {
	run procmon.RunID
	at  procmon.BootNS
}

const never = procmon.BootNS(math.MaxUint64)

// NewLive makes a Live that knows of no run.
func NewLive(cfg LiveConfig) *Live {
	l := &Live{
		cfg: cfg, marks: make([]procmon.BootNS, cfg.Readers+1),
		procs: map[int32]*proc{}, jobs: map[procmon.JobKey]int{},
		runs: map[procmon.RunID]*run{}, closed: map[procmon.RunID]struct{}{},
	}
	l.marks[cfg.Readers] = never
	return l
}

// Apply takes an event. It is held until every reader's mark has passed its
// time.
func (l *Live) Apply(e *procmon.Event) {
	if e.Kind == procmon.EventMark {
		l.marks[e.Reader] = max(l.marks[e.Reader], e.Time)
		return
	}
	l.held = append(l.held, *e)
}

// BeginCensus opens a census: what it finds is sent as events of CensusReader,
// with its marks, and ends with EventCensus. Until then later events are held.
func (l *Live) BeginCensus(at procmon.BootNS) {
	l.scan++
	l.marks[l.cfg.Readers] = at
}

// CensusReader is the reader number of a census's events.
func (l *Live) CensusReader() int { return l.cfg.Readers }

// EndCensus is called after the census's last event was given to Apply.
func (l *Live) EndCensus() { l.marks[l.cfg.Readers] = never }

// Advance applies what can be applied and tells what changed. The result holds
// until the next call.
func (l *Live) Advance() []Change {
	if l.told {
		clear(l.changes)
		l.changes, l.told = l.changes[:0], false
	}
	horizon := slices.Min(l.marks)
	l.told = true
	if horizon == never {
		return l.changes // a source without readers
	}
	l.applyUntil(horizon)
	l.applied = max(l.applied, horizon)
	l.expire(horizon)
	return l.changes
}

// Drain applies everything that is held, marked or not: nothing more will come.
func (l *Live) Drain() []Change {
	for i := range l.marks {
		l.marks[i] = never - 1
	}
	return l.Advance()
}

// Applied is the time up to which everything is applied.
func (l *Live) Applied() procmon.BootNS { return l.applied }

// Processes is the number of processes that belong to runs; of runs, when the
// source keeps their books.
func (l *Live) Processes() int { return len(l.procs) + len(l.runs) }

// Held is the number of events that wait for a mark.
func (l *Live) Held() int { return len(l.held) }

// RunsOf is the number of live runs of a job.
func (l *Live) RunsOf(key procmon.JobKey) int { return l.jobs[key] }

// UsageLost counts, since the last call, the processes that ended and whose
// counters never came.
func (l *Live) UsageLost() uint64 {
	n := l.usageLost
	l.usageLost = 0
	return n
}

// Unread counts, since the last call, the processes that a census met and could
// not read.
func (l *Live) Unread() uint64 {
	n := l.unread
	l.unread = 0
	return n
}

// Misread counts, since the last call, the runs that were read too late, as
// their process's next image, and are recorded without what was read.
func (l *Live) Misread() uint64 {
	n := l.misreads
	l.misreads = 0
	return n
}

func (l *Live) apply(e *procmon.Event) {
	switch e.Kind {
	case procmon.EventExec:
		l.exec(e)
	case procmon.EventFork:
		l.fork(e.Proc, e.Parent, e.Time)
	case procmon.EventExit:
		l.exit(e)
	case procmon.EventFinal:
		l.finals(e)
	case procmon.EventFound:
		l.found(e)
	case procmon.EventCensus:
		l.settle(e)
	case procmon.EventExited:
		l.exited(e)
	case procmon.EventOver:
		l.over(e)
	}
}

// exec begins a run and takes its process from the run that had it.
func (l *Live) exec(e *procmon.Event) {
	p := e.Process
	if l.cfg.Books {
		l.execBooked(p)
		return
	}
	pr := l.procs[p.Run.Process.PID]
	if pr != nil && !pr.id.Same(p.Run.Process) {
		l.lost(pr, e.Time) // its exit was not seen
		pr = nil
	}
	if pr != nil && p.Run.Process.Start == 0 {
		p.Run.Process.Start = pr.id.Start
	}
	parent, job := l.origin(p, pr)
	if pr != nil {
		if pr.run.first == pr {
			l.misread(pr.run, e.Time)
		}
		l.leave(pr, p.Before, e.Time)
	}
	l.begin(p, parent, job, p.Before, false)
}

// misread looks at the run that a process was until an execve. When that one
// came before the earlier image was wholly read, what was read may be the later
// image: an adopted run then never was, and of another one only the process and
// its user are known.
func (l *Live) misread(r *run, at procmon.BootNS) {
	if r.Process.Read < at {
		return
	}
	if r.Adopted && r.Process.Run.Exec == 0 {
		r.void = true
		return
	}
	p := *r.Process
	p.Exe, p.Comm, p.Cwd, p.Args, p.ArgsBytes, p.ArgsCount, p.Env = "", "", "", nil, 0, 0, nil
	p.Missing |= procmon.MissingArgs | procmon.MissingEnv | procmon.MissingExe | procmon.MissingCwd
	r.Process, r.name = &p, nil
	l.misreads++
}

// origin tells from which run a process was started, and its job.
func (l *Live) origin(p *procmon.Process, pr *proc) (parent procmon.RunID, job procmon.Job) {
	switch {
	case pr != nil && pr.run.first == pr: // it execs again: the same parent, and the job so far
		return pr.run.Parent, pr.run.Job
	case pr != nil:
		return pr.run.Process.Run, pr.run.Job
	}
	if up := l.procs[p.PPID]; up != nil && p.PPID != 0 {
		return up.run.Process.Run, up.run.Job
	}
	return parent, job
}

// begin makes a run of a process; nil: its runs are not recorded.
func (l *Live) begin(p *procmon.Process, parent procmon.RunID, parentJob procmon.Job, since procmon.Counters, adopted bool) *run {
	job := l.cfg.Job(p, parentJob)
	if !l.cfg.Record(p, &job) {
		if l.cfg.Books {
			l.closed[p.Run] = struct{}{}
		}
		return nil
	}
	p.Ancestors = nearest(p.Ancestors)
	cost := len(p.Args) + len(p.Env)
	if l.liveBytes+cost > maxLiveBytes {
		p = lean(p)
		cost = len(p.Args)
	}
	l.liveBytes += cost
	r := &run{cost: cost, Run: procmon.Run{Process: p, Parent: parent, Job: job, Start: p.Time, Adopted: adopted}}
	if l.cfg.Books {
		l.runs[p.Run] = r
	} else {
		r.first = l.own(r, p.Run.Process, since)
	}
	l.open(r)
	return r
}

// nearest is the process right above: those beyond have told the job, and
// would be most of what a run holds in memory.
func nearest(up []procmon.Ancestor) []procmon.Ancestor {
	if len(up) <= 1 {
		return up
	}
	return []procmon.Ancestor{up[0]}
}

// maxLiveBytes is what arguments and environments of live runs may hold in
// memory together; those of further runs are cut.
const maxLiveBytes = 64 << 20

// lean is a process without its environment, and with the beginning of its
// arguments only. Their true length stays known.
func lean(p *procmon.Process) *procmon.Process {
	q := *p
	q.Env = nil
	q.Args = bytes.Clone(p.Args[:min(len(p.Args), 512)])
	return &q
}

// open counts a run as one that goes on.
func (l *Live) open(r *run) {
	l.jobs[r.Job.Key()]++
	l.changes = append(l.changes, Change{run: r})
}

// own gives a process to a run.
func (l *Live) own(r *run, id procmon.ProcessID, since procmon.Counters) *proc {
	pr := &proc{id: id, run: r, since: since, scan: l.scan}
	l.procs[id.PID] = pr
	r.owned++
	return pr
}

func (l *Live) fork(child, parent procmon.ProcessID, at procmon.BootNS) {
	if old := l.procs[child.PID]; old != nil {
		if old.id.Same(child) {
			return // told twice: found by a census first
		}
		l.lost(old, at)
	}
	if up := l.procs[parent.PID]; up != nil {
		l.own(up.run, child, procmon.Counters{})
	}
}

func (l *Live) exit(e *procmon.Event) {
	pr := l.procs[e.Proc.PID]
	if pr == nil || !pr.id.Same(e.Proc) {
		return // of a process that is not recorded
	}
	pr.exited, pr.exitAt, pr.exit = true, e.Time, procmon.ParseWait(e.Wait)
	if pr.final || l.cfg.FinalWait == 0 {
		l.depart(pr)
		return
	}
	l.leaving = append(l.leaving, leaving{pr, e.Time + l.cfg.FinalWait})
}

// worthTelling is the CPU time from which on a process of a person's that belongs
// to no run is counted as lost usage.
const worthTelling = 100 * time.Millisecond

// finalSlack is how far the start that counters tell, reckoned back from their
// arrival, may lie from the process's own.
const finalSlack = 2 * procmon.TicksPerSecond

func (l *Live) finals(e *procmon.Event) {
	pr := l.procs[e.Proc.PID]
	if pr == nil || pr.final || !near(pr.id.Start, e.Proc.Start) {
		// A user's process can be forked away from its run (CLONE_PARENT).
		if e.Used.CPU >= worthTelling && l.cfg.Person(e.UID) {
			l.usageLost++
		}
		return
	}
	pr.final, pr.finalAt, pr.used = true, e.Time, e.Used
	if pr.exited {
		l.depart(pr)
		return
	}
	l.leaving = append(l.leaving, leaving{pr, e.Time + l.cfg.FinalWait})
}

func near(a, b procmon.Ticks) bool {
	return a == 0 || b == 0 || (a <= b+finalSlack && b <= a+finalSlack)
}
