package procfs

import (
	"bytes"
	"fmt"

	"procmon"
)

// Status is what procmon uses of /proc/PID/status (proc_pid_status(5)).
type Status struct {
	UID, EUID uint32 // real and effective
	GID       uint32 // real
}

// ParseStatus takes apart /proc/PID/status. The name in its first line is the
// user's, but the kernel escapes newlines there, so a line that begins with
// "Uid:" is the kernel's own.
func ParseStatus(b []byte) (Status, error) {
	s := Status{UID: procmon.NoUID, EUID: procmon.NoUID, GID: procmon.NoUID}
	uid, ok := statusLine(b, "\nUid:\t")
	if !ok || len(uid) < 2 {
		return s, fmt.Errorf("status: Uid: %w: %.40q", ErrFormat, b)
	}
	gid, ok := statusLine(b, "\nGid:\t")
	if !ok || len(gid) < 1 {
		return s, fmt.Errorf("status: Gid: %w: %.40q", ErrFormat, b)
	}
	s.UID, s.EUID, s.GID = uid[0], uid[1], gid[0]
	return s, nil
}

// statusLine gives the numbers of one line, four at most.
func statusLine(b []byte, prefix string) ([]uint32, bool) {
	i := bytes.Index(b, []byte(prefix))
	if i < 0 {
		return nil, false
	}
	line, _, _ := bytes.Cut(b[i+len(prefix):], []byte{'\n'})
	var values [4]uint32
	n := 0
	for n < len(values) && len(line) > 0 {
		var v []byte
		v, line, _ = bytes.Cut(line, []byte{'\t'})
		u, ok := parseUint(v)
		if !ok || u > 1<<32-1 {
			return nil, false
		}
		values[n] = uint32(u)
		n++
	}
	return values[:n:n], true
}

// ParseGroups takes the supplementary groups out of a /proc/PID/status that was
// read whole: numbers parted by spaces, as the reader's user namespace has them.
func ParseGroups(b []byte) ([]uint32, error) {
	_, rest, ok := bytes.Cut(b, []byte("\nGroups:\t"))
	line, _, whole := bytes.Cut(rest, []byte{'\n'})
	if !ok || !whole {
		return nil, fmt.Errorf("status: Groups: %w: %.40q", ErrFormat, b)
	}
	var groups []uint32
	for v := range bytes.FieldsSeq(line) {
		gid, ok := parseUint(v)
		if !ok || gid > 1<<32-1 {
			return nil, fmt.Errorf("status: Groups: %w: %.40q", ErrFormat, v)
		}
		groups = append(groups, uint32(gid))
	}
	return groups, nil
}

// DeadStatus says of a /proc/PID/status whether the process has ended: no thread
// of it runs any more. A zombie leader whose threads go on is not dead.
func DeadStatus(b []byte) bool {
	_, rest, ok := bytes.Cut(b, []byte("\nState:\t"))
	if !ok || len(rest) == 0 {
		return true
	}
	threads, ok := statusLine(b, "\nThreads:\t")
	one := !ok || len(threads) == 0 || threads[0] <= 1
	return rest[0] == 'X' || (rest[0] == 'Z' && one)
}
