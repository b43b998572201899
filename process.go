package procmon

import (
	"bytes"
	"iter"
	"strings"
	"time"
)

// TicksPerSecond is USER_HZ, the unit of /proc/PID/stat. It is 100 on every
// architecture that procmon is built for (include/asm-generic/param.h).
const TicksPerSecond = 100

// Ticks is a time since boot, suspend included, in USER_HZ: field 22 of
// /proc/PID/stat (proc_pid_stat(5)).
type Ticks uint64

// BootNS is a reading of CLOCK_BOOTTIME in nanoseconds.
type BootNS uint64

// Ticks rounds down, as the kernel does (nsec_to_clock_t).
func (b BootNS) Ticks() Ticks { return Ticks(b / (1e9 / TicksPerSecond)) }

// BootNS is the earliest reading of the clock that rounds down to t.
func (t Ticks) BootNS() BootNS { return BootNS(t) * (1e9 / TicksPerSecond) }

// ProcessID names a process on one boot of one host.
type ProcessID struct {
	PID   int32 // thread group id in the host's pid namespace
	Start Ticks // 0: not known
}

// startSlack is how far two readings of one process's start may lie apart: a
// fork event is stamped a little after the kernel noted the start.
const startSlack = 2

// Same says whether two ids can be of one process. Pids are handed out in
// turn, so two processes of one pid never start within the slack.
func (p ProcessID) Same(o ProcessID) bool {
	if p.PID != o.PID {
		return false
	}
	if p.Start == 0 || o.Start == 0 {
		return true
	}
	return p.Start <= o.Start+startSlack && o.Start <= p.Start+startSlack
}

// RunID names a run on one boot of one host: a process and the time of its
// execve.
type RunID struct {
	Process ProcessID
	Exec    BootNS // 0: found alive, the time of its execve is not known
}

// Began is when the run began: its execve, or for one found alive when its
// process did. 0: not known.
func (id RunID) Began() BootNS {
	if id.Exec != 0 {
		return id.Exec
	}
	return id.Process.Start.BootNS()
}

// Cgroup is one line of /proc/PID/cgroup (cgroups(7)).
type Cgroup struct {
	Hierarchy   int    // 0 for cgroup v2
	Controllers string // "freezer", "cpu,cpuacct", "name=systemd"; empty for v2
	Path        string // as the kernel gives it, escapes and " (deleted)" included
}

// Ancestor is a process above another one, root's too.
type Ancestor struct {
	ID      ProcessID
	UID     uint32 // real user id
	Comm    string
	Exe     string // empty when it can't be known: kernel threads, vanished processes
	Args    []byte // NUL-separated, the first bytes only; kept for root's processes, whose title names a job
	Cgroups []Cgroup
}

// Counters are cumulative over the life of a process, all its threads
// together. A zero field is either zero or not known.
type Counters struct {
	CPU         time.Duration // on a CPU, exact where the kernel tells (sum_exec_runtime)
	User        time.Duration // of CPU, as the tick sampled it
	System      time.Duration // of CPU, as the tick sampled it
	Read, Write uint64        // bytes caused to be fetched from or sent to storage (/proc/PID/io read_bytes, write_bytes)
	MaxRSS      uint64        // bytes, high-water mark of the last image's address space
}

// Missing says which parts of a process could not be read.
type Missing uint16

// The parts of a process that can be missing.
const (
	MissingStat Missing = 1 << iota
	MissingStatus
	MissingArgs
	MissingEnv
	MissingExe
	MissingCwd
	MissingCgroup

	MissingAll Missing = 1<<iota - 1
)

var missingNames = []string{"stat", "status", "args", "env", "exe", "cwd", "cgroup"}

// Names lists the missing parts, in a fixed order.
func (m Missing) Names() []string {
	var names []string
	for i, name := range missingNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Process is what a process was at the moment of one execve, or when it was
// found alive. Text in it is what the user made it: any byte but NUL.
type Process struct {
	Run  RunID
	Boot string    // /proc/sys/kernel/random/boot_id
	Time time.Time // wall clock of the execve; of the process's start when found alive

	PPID       int32
	SID        int32 // session id
	TTY        int32 // controlling terminal's device number, 0: none
	UID        uint32
	EUID       uint32
	GID        uint32
	LoginUID   uint32 // audit login uid, NoUID when unset or unread
	MountNS    uint64 // inode of the mount namespace, 0: not read
	PIDNS      uint64 // inode of the pid namespace, 0: not read
	Comm       string
	Exe        string // without " (deleted)"
	ExeDeleted bool   // the file was unlinked or replaced by then
	Cwd        string

	Args      []byte // NUL-separated, cut at the configured cap
	ArgsBytes int    // the true length of the argument list in bytes
	ArgsCount int    // the true number of arguments
	Env       []byte // NUL-separated, only the variables that mapping needs
	EnvBytes  int    // the true length of the whole environment, 0: not told

	Cgroups   []Cgroup
	Ancestors []Ancestor // nearest first, 16 at most

	Owner   RunID    // the run that the process belonged to until this execve, or to which it belongs when found alive; zero: the source keeps no books
	Before  Counters // used by this process before this image
	Read    BootNS   // when reading it was done: an execve before that may be the one that was read; 0: not told
	NoExec  bool     // forked and never exec'ed since (PF_FORKNOEXEC); only of processes found alive
	Missing Missing
}

// NoUID is the kernel's (uid_t)-1: no user.
const NoUID = ^uint32(0)

// MaxAncestors is how many ancestors a Process carries.
const MaxAncestors = 16

// Getenv looks a variable up in the kept part of the environment. As in
// getenv(3), the first one of a name counts.
func (p *Process) Getenv(name string) (value string, ok bool) {
	for v := range splitNUL(p.Env) {
		if len(v) > len(name) && v[len(name)] == '=' && string(v[:len(name)]) == name {
			return string(v[len(name)+1:]), true
		}
	}
	return "", false
}

// Environ goes through the kept variables, name and value.
func (p *Process) Environ() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for v := range splitNUL(p.Env) {
			name, value, ok := strings.Cut(string(v), "=")
			if ok && !yield(name, value) {
				return
			}
		}
	}
}

// Argv is the kept part of the argument list; the last one may be cut.
func (p *Process) Argv() []string {
	if len(p.Args) == 0 {
		return nil
	}
	argv := make([]string, 0, bytes.Count(p.Args, []byte{0})+1)
	for a := range splitNUL(p.Args) {
		argv = append(argv, string(a))
	}
	return argv
}

// splitNUL goes through NUL-terminated strings; the last may lack its NUL.
func splitNUL(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			v, rest, _ := bytes.Cut(b, []byte{0})
			if !yield(v) {
				return
			}
			b = rest
		}
	}
}
