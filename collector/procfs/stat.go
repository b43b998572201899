package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"procmon"
)

// ErrGone says that the process does not exist, or not any more.
var ErrGone = errors.New("process is gone")

// ErrFormat says that a file of /proc does not look as the kernel writes it.
var ErrFormat = errors.New("unexpected format")

// Stat is what procmon uses of /proc/PID/stat (proc_pid_stat(5),
// fs/proc/array.c do_task_stat).
type Stat struct {
	PID     int32
	Comm    string // raw: any byte, newlines and parentheses too
	State   byte
	PPID    int32
	Session int32
	TTY     int32
	NoExec  bool          // PF_FORKNOEXEC (include/linux/sched.h): forked, never exec'ed since
	User    time.Duration // of all threads, by ticks
	System  time.Duration // of all threads, by ticks
	Start   procmon.Ticks
}

const pfForkNoExec = 0x40

// ParseStat takes apart /proc/PID/stat.
func ParseStat(b []byte) (Stat, error) {
	var s Stat
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 2 || end < open || end+2 >= len(b) {
		return s, fmt.Errorf("stat: %w: %.40q", ErrFormat, b)
	}
	pid, ok := parseUint(b[:open-1])
	if !ok {
		return s, fmt.Errorf("stat: pid: %w: %.40q", ErrFormat, b)
	}
	s.PID = int32(pid)
	s.Comm = string(b[open+1 : end])
	// Fields from the third on, counted as the man page does.
	rest := b[end+2:]
	field := 3
	for len(rest) > 0 && field <= 22 {
		var v []byte
		v, rest, _ = bytes.Cut(rest, []byte{' '})
		if field == 3 {
			if len(v) != 1 {
				return s, fmt.Errorf("stat: state: %w: %.40q", ErrFormat, v)
			}
			s.State = v[0]
		} else if err := s.set(field, v); err != nil {
			return s, err
		}
		field++
	}
	if field <= 22 {
		return s, fmt.Errorf("stat: %w: %d fields", ErrFormat, field-1)
	}
	return s, nil
}

func (s *Stat) set(field int, v []byte) error {
	negative := len(v) > 0 && v[0] == '-'
	if negative {
		v = v[1:]
	}
	n, ok := parseUint(bytes.TrimSuffix(v, []byte{'\n'}))
	if !ok {
		return fmt.Errorf("stat: field %d: %w: %.40q", field, ErrFormat, v)
	}
	i := int32(n)
	if negative {
		i = -i
	}
	const tick = time.Second / procmon.TicksPerSecond
	switch field {
	case 4:
		s.PPID = i
	case 6:
		s.Session = i
	case 7:
		s.TTY = i
	case 9:
		s.NoExec = n&pfForkNoExec != 0
	case 14:
		s.User = time.Duration(n) * tick
	case 15:
		s.System = time.Duration(n) * tick
	case 22:
		s.Start = procmon.Ticks(n)
	}
	return nil
}

// parseUint reads a decimal number that is the whole of b.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
