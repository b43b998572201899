package collector

import (
	"context"
	"time"

	"procmon"
)

// Source sees what programs are started.
type Source interface {
	// Run hands on events until ctx ends or the source fails. Emit copies the
	// event, never blocks, and is called by one goroutine at a time. The source
	// gathers from the moment it was made, so that nothing is missed before Run.
	Run(ctx context.Context, emit func(*procmon.Event)) error
	// Readers is the number of readers; each sends EventMark at least once a
	// second, or when a Hurrier is asked to.
	Readers() int
	// Finals says whether every exit is followed by an EventFinal.
	Finals() bool
}

// Hurrier is a Source that sends no EventMark while nothing happens, unless it
// is asked.
type Hurrier interface {
	// Hurry has every reader hand on what there is and send EventMark now. It
	// does not wait for that.
	Hurry()
}

// Census finds what is alive: at the start, and after a loss.
type Census interface {
	// Scan gives each process with the time at which it was read, ascending.
	Scan(ctx context.Context, found func(at procmon.BootNS, p *procmon.Process)) error
	// Alive is called while a Scan may be going on.
	Alive(id procmon.ProcessID) bool
}

// Meter reads what live runs have used so far.
type Meter interface {
	// Measure gives what each run has used, in the order of runs, with what is
	// booked of it already; zero: not known now. What can't be read is left out:
	// it may be too little, but never too much. It may take its time.
	Measure(ctx context.Context, runs []procmon.LiveRun) ([]procmon.Usage, error)
}

// Clock relates the kernel's time to the time of day.
type Clock interface {
	Now() procmon.BootNS
	Wall(procmon.BootNS) time.Time
}

// JobMapper says which job a process is in, from its bytes alone. Parent is
// the job of the run that it was started from.
type JobMapper interface {
	Job(p *procmon.Process, parent procmon.Job) procmon.Job
}

// Identifier says which application a process is.
type Identifier interface {
	// Known answers at once, from memory, or not at all. It is called by another
	// goroutine than Identify.
	Known(p *procmon.Process) (app procmon.Application, ok bool)
	// Identify may read files; it is given up on after NamingWait.
	Identify(ctx context.Context, p *procmon.Process) procmon.Application
}

// Users knows the names of users.
type Users interface {
	// Known answers at once, from memory, or not at all.
	Known(uid uint32) (name string, ok bool)
	// Name may be slow; "" for no such user.
	Name(uid uint32) string
}

// Sink takes records. Write returns nil when they are kept, *procmon.LostError
// when they never will be, and any other error for "not now".
type Sink interface {
	Write(ctx context.Context, batch []procmon.Record) error
	Close() error
}

// Store keeps live runs over a restart.
type Store interface {
	// Live gives the runs of this boot, to go on with, and of earlier ones.
	Live(ctx context.Context) (thisBoot, otherBoots []procmon.LiveRun, err error)
	// SaveLive keeps the live runs. Everything that happened until known is in
	// them, or in records that were written.
	SaveLive(ctx context.Context, runs []procmon.LiveRun, known time.Time) error
	// Recorded gives those of the runs of this boot whose last record was written
	// a moment ago, by an earlier collector.
	Recorded(ctx context.Context, ids []procmon.RunID) ([]procmon.RunID, error)
	// LastSeen is what the last SaveLive called known; zero: there was none.
	LastSeen(ctx context.Context) (time.Time, error)
}

// JobEnds knows which jobs have ended on this host.
type JobEnds interface {
	// Refresh looks what prologs and epilogs have written since the last time.
	// It is called about once a second.
	Refresh(ctx context.Context) error
	// Ended gives the jobs that have ended and are not done yet: facts only.
	Ended(ctx context.Context) ([]procmon.JobSummary, error)
	// Done notes that a job's summary is written.
	Done(key procmon.JobKey) error
}

// JobShares adds up what a job used on this host.
type JobShares interface {
	JobShare(ctx context.Context, key procmon.JobKey) (procmon.JobSummary, error)
}
