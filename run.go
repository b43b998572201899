package procmon

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Exit is how a run's first process ended, as wait(2) tells it.
type Exit struct {
	Code   int // 0–255; meaningful when Signal is 0
	Signal int // 0: ended by itself
}

// ParseWait takes apart a wait(2) status.
func ParseWait(status uint32) Exit {
	return Exit{Code: int(status >> 8 & 0xff), Signal: int(status & 0x7f)}
}

// Usage is what a run cost: its process and all that was forked from it.
type Usage struct {
	User, System time.Duration // CPU time; the sum is as exact as the source, the split is by ticks
	MaxRSS       uint64        // bytes, of the largest process; 0: not known
	RSSBound     bool          // MaxRSS may have been reached by an earlier image of that process: it is an upper bound
	Read, Write  uint64        // bytes to and from storage
}

// Since is what was used between an earlier reading of a process's counters
// and c.
func (c Counters) Since(earlier Counters) Usage {
	cpu := max(0, c.CPU-earlier.CPU)
	user, system := max(0, c.User-earlier.User), max(0, c.System-earlier.System)
	if ticks := user + system; ticks > 0 {
		// The tick only samples: it says how the exact time is split.
		user = time.Duration(float64(cpu) * float64(user) / float64(ticks))
	} else {
		user = cpu
	}
	return Usage{
		User: user, System: cpu - user, MaxRSS: c.MaxRSS,
		Read: c.Read - min(c.Read, earlier.Read), Write: c.Write - min(c.Write, earlier.Write),
	}
}

// Add joins what others used: sums, and of the maxima the larger one with its
// mark. Of two equal ones an exact one counts.
func (u *Usage) Add(o Usage) {
	u.User += o.User
	u.System += o.System
	switch {
	case o.MaxRSS > u.MaxRSS:
		u.MaxRSS, u.RSSBound = o.MaxRSS, o.RSSBound
	case o.MaxRSS == u.MaxRSS:
		u.RSSBound = u.RSSBound && o.RSSBound
	}
	u.Read += o.Read
	u.Write += o.Write
}

// CPU is user and system time together.
func (u *Usage) CPU() time.Duration { return u.User + u.System }

// Run is one program run: from one execve until the last process that it owns
// has ended or exec'ed. It owns its process, and every process forked from it
// until that one execs.
type Run struct {
	Process     *Process
	Parent      RunID // the run of the process that started it; zero: not known
	UserName    string
	Job         Job
	Application Application

	Start       time.Time // the execve; for an adopted run the start of its process
	End         time.Time // zero while it goes on
	Exit        *Exit     // nil: goes on, was replaced by another execve, or not known
	Usage       *Usage    // while it goes on, as last told; nil: not known
	Adopted     bool      // found alive: it began before procmon looked
	Provisional bool      // not reaped in time: usage and end are those at its exit
	Unknown     bool      // it ended while procmon did not look: end, exit and usage are what was last known
}

// Elapsed is the time from start to end, 0 while it goes on.
func (r *Run) Elapsed() time.Duration {
	if r.End.IsZero() {
		return 0
	}
	return max(0, r.End.Sub(r.Start))
}

// SinceParent is how long after its parent's run the run began, negative when
// that one exec'ed later; false: not known.
func (r *Run) SinceParent() (time.Duration, bool) {
	p, c := r.Parent, r.Process.Run
	if p.Process.PID == 0 || p.Began() == 0 || c.Began() == 0 {
		return 0, false
	}
	return time.Duration(int64(c.Began() - p.Began())), true
}

// EntityID names a run among all hosts and boots: 24 hexadecimal digits, the
// same whenever it is computed from the same boot, process and execve.
func EntityID(boot string, id RunID) string {
	sum := runHash(boot, id)
	return hex.EncodeToString(sum[:12])
}

func runHash(boot string, id RunID) [sha256.Size]byte {
	b := make([]byte, 0, 64)
	b = append(b, boot...)
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Process.PID))
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Process.Start))
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Exec))
	return sha256.Sum256(b)
}

// Reasons for a Loss.
const (
	LossBuffer   = "buffer full"     // the kernel had no room in the source's buffer (ENOBUFS)
	LossVanished = "vanished"        // gone before it could be read
	LossRing     = "ring full"       // the kernel had no room in the source's ring
	LossMissed   = "recursion miss"  // the kernel skipped a hook because it ran already on that CPU
	LossStuck    = "unreadable"      // alive, but the kernel makes whoever reads it wait
	LossQueue    = "queue full"      // a stage behind the source fell behind
	LossStopped  = "not running"     // no daemon looked between From and To
	LossSink     = "sink full"       // a sink's own queue or spool was full: recorded elsewhere, not there
	LossForeign  = "not from kernel" // messages of another sender, dropped
	LossUsage    = "usage lost"      // the run is recorded, its usage is not
	LossRejected = "rejected"        // a sink could not store the record and never will
)

// LosesRuns says whether a run can be missing in an index for a loss of that
// reason at that place. What is lost to syslog alone is recorded all the same.
func LosesRuns(reason, where string) bool {
	switch reason {
	case LossUsage, LossForeign, LossSink:
		return false
	}
	return where != "syslog"
}

// Loss is what was not seen, or seen and not kept.
type Loss struct {
	Count  uint64 // events; 0: not known how many
	CPU    int    // where it happened, -1: not of one CPU
	From   time.Time
	To     time.Time
	Reason string // one of the Loss… constants
	Where  string // the source or sink that lost it: "procconn", "taskstats", "syslog", "index"
}
