package procfs

import (
	"bytes"
	"fmt"

	"procmon"
)

// Spent is what a process has used so far.
type Spent struct {
	ID     procmon.ProcessID
	NoExec bool             // forked and never exec'ed since
	Used   procmon.Counters // CPU by ticks; Read and Write 0 where they can't be read, MaxRSS where it has no memory any more
}

// usageOf adds up what a run's live processes have used beyond what is booked.
// Those that can't be read, are gone, or are another run's by now are left out.
func usageOf(l *procmon.LiveRun, read func(pid int32) (Spent, error)) procmon.Usage {
	u := l.Booked
	for _, o := range l.Owned {
		s, err := read(o.ID.PID)
		// A process that a run got by fork and that has exec'ed since belongs
		// to a run of its own, of which nobody has told yet.
		forked := !o.ID.Same(l.Run.Process.Run.Process)
		if err != nil || !s.ID.Same(o.ID) || forked && !s.NoExec {
			continue
		}
		u.Add(s.Used.Since(o.Since))
	}
	return u
}

// parseSpent puts the files stat, io and status of a process together; io and
// status may be empty.
func parseSpent(stat, io, status []byte) (Spent, error) {
	s, err := ParseStat(stat)
	if err != nil {
		return Spent{}, err
	}
	spent := Spent{
		ID:     procmon.ProcessID{PID: s.PID, Start: s.Start},
		NoExec: s.NoExec,
		Used:   procmon.Counters{CPU: s.User + s.System, User: s.User, System: s.System, MaxRSS: ParseMaxRSS(status)},
	}
	if len(io) > 0 {
		spent.Used.Read, spent.Used.Write, err = ParseIO(io)
	}
	return spent, err
}

// ParseIO reads read_bytes and write_bytes out of /proc/PID/io (proc_pid_io(5)):
// of all threads, those that have ended included.
func ParseIO(b []byte) (read, write uint64, err error) {
	r, rok := ioLine(b, "\nread_bytes: ")
	w, wok := ioLine(b, "\nwrite_bytes: ")
	if !rok || !wok {
		return 0, 0, fmt.Errorf("io: %w: %.80q", ErrFormat, b)
	}
	return r, w, nil
}

func ioLine(b []byte, prefix string) (uint64, bool) {
	_, rest, ok := bytes.Cut(b, []byte(prefix))
	line, _, _ := bytes.Cut(rest, []byte{'\n'})
	n, number := parseUint(line)
	return n, ok && number
}

// ParseMaxRSS reads VmHWM, the high-water mark of resident memory, out of
// /proc/PID/status (proc_pid_status(5)), in bytes; 0 where there is none: a
// zombie has no memory. The name in the first line is the user's, but the
// kernel escapes newlines there.
func ParseMaxRSS(b []byte) uint64 {
	_, rest, ok := bytes.Cut(b, []byte("\nVmHWM:"))
	line, _, whole := bytes.Cut(rest, []byte{'\n'})
	kib, unit := bytes.CutSuffix(bytes.TrimLeft(line, "\t "), []byte(" kB"))
	n, number := parseUint(kib)
	if !ok || !whole || !unit || !number || n >= 1<<54 {
		return 0
	}
	return n << 10
}
