package procmon

import (
	"strconv"
	"time"
)

// Phase says which part of a run's life a record tells.
type Phase uint8

// The phases. A run that ends within start_after has one record, Whole;
// another has Start, a Checkpoint every hour, and End.
const (
	Whole Phase = iota
	Start
	Checkpoint
	End
)

// Record is what sinks take: exactly one of Run, Loss, Summary and Status is set.
type Record struct {
	Host string
	Boot string
	Time time.Time // when the record came about
	Seq  uint64    // for Loss and Status: counts up within one life of the daemon, which Time began

	Phase   Phase // of Run
	Run     *Run
	Loss    *Loss
	Summary *JobSummary
	Status  *Status
}

// EventID is unique per record and the same when it is sent again.
func (r *Record) EventID() string {
	switch {
	case r.Run != nil:
		id := EntityID(r.Boot, r.Run.Process.Run)
		switch r.Phase {
		case Start:
			return id + "-start"
		case Checkpoint:
			return id + "-" + strconv.FormatInt(r.Time.UnixMilli(), 10)
		default:
			return id + "-end"
		}
	case r.Summary != nil:
		k := r.Summary.Job.Key()
		id := r.Host + "-job-" + k.Cluster + "-" + k.RawID + "-" + strconv.Itoa(k.Restart)
		if !r.Summary.Start.IsZero() { // schedulers count from 1 again one day
			id += "-" + strconv.FormatInt(r.Summary.Start.Unix(), 36)
		}
		return id
	default:
		return r.Host + "-" + strconv.FormatInt(r.Time.UnixNano(), 36) + "-" + strconv.FormatUint(r.Seq, 36)
	}
}

// JobSummary is one host's share of a job, told at the job's end.
type JobSummary struct {
	Job          Job
	CPUs         int       // allocated on this host, 0: not known
	GPUs         int       // allocated on this host
	Start, End   time.Time // of the job on this host, as prolog and epilog noted them; zero: not known
	Runs         uint64
	Failed       uint64 // runs that ended by a signal or with an exit code other than 0
	Usage        Usage
	Applications []AppShare  // most CPU time first
	Exits        []ExitShare // the most frequent first, MaxExits at most; of runs that were replaced or lost sight of there is none
	Surviving    uint64      // runs that still went on when the summary was made
	Survivors    []Survivor  // some of them, the oldest first, MaxSurvivors at most

	// What the kernel counted for the job's cgroup on this host, runs or not,
	// until CgroupRead: the scheduler removes it before the job's epilog. A zero
	// CgroupRead: not known.
	CgroupCPU  time.Duration
	CgroupRead time.Time
}

// Bounds of what a JobSummary lists.
const (
	MaxExits     = 16
	MaxSurvivors = 4
)

// ExitShare is how many runs of a job ended in one way.
type ExitShare struct {
	Exit Exit
	Runs uint64
}

// Survivor is a run that outlived its job. Its process may have ended: then
// what that one forked lives on.
type Survivor struct {
	Run       RunID
	Comm, Exe string // as in Process
}

// AppShare is what one application had of a job.
type AppShare struct {
	Application Application // Script, Image and Evidence empty
	Runs        uint64
	Failed      uint64
	Usage       Usage
}

// Status is the daemon's word of itself.
type Status struct {
	Action  string // "start", "stop", "hourly"
	Version string
	Source  string            // the capture in use: "procconn"
	Counts  map[string]uint64 // since the daemon's start
}

// LostError is how a sink says that records are lost to it for good: asking it
// again would not help. Any other error means "not now".
type LostError struct {
	Loss   Loss     // without those of Losses; a Count of 0 here means none
	Losses []Record // records of losses that were lost themselves, to be told later
	Err    error
}

func (e *LostError) Error() string {
	return strconv.FormatUint(e.Loss.Count, 10) + " records lost (" + e.Loss.Reason + "): " + e.Err.Error()
}

func (e *LostError) Unwrap() error { return e.Err }

// LiveRun is a run that goes on, with what must be known to go on with it
// after a restart of the daemon.
type LiveRun struct {
	Run    Run
	Booked Usage     // of processes that have ended or exec'ed
	Owned  []Owned   // its live processes, its first one too
	Silent bool      // no Start record of it was written
	Told   time.Time // of its last Checkpoint: it went on until then at least; zero: there was none
}

// Owned is a process that a run owns.
type Owned struct {
	ID    ProcessID
	Since Counters // the process's counters when the run got it
}
