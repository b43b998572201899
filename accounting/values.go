package accounting

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"procmon"
)

// unknown says whether a scheduler writes so that it knows nothing.
func unknown(s string) bool {
	switch strings.ToLower(s) {
	case "", "unknown", "none", "(null)", "n/a", "none assigned", "invalid":
		return true
	}
	return false
}

// some is s, or empty for one of the words that say nothing.
func some(s string) string {
	if unknown(s) {
		return ""
	}
	return s
}

// layouts are the times of sacct: its default, and with a zone in two ways.
var layouts = []string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02T15:04:05-0700"}

// Seconds since 1970 that can be times of jobs: from 1971 to the year 2255.
const minSeconds, maxSeconds = 365 * 86400, 9_000_000_000

// moment reads a time; what is unknown, or 0, is the zero time.
func moment(s string, zone *time.Location) (time.Time, error) {
	if unknown(s) {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n == 0 {
			return time.Time{}, nil
		}
		return inRange(s, time.Unix(n, 0))
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return inRange(s, t)
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time as 2026-11-22T08:30:00", cut(s))
}

func inRange(s string, t time.Time) (time.Time, error) {
	if n := t.Unix(); n < minSeconds || n > maxSeconds {
		return time.Time{}, fmt.Errorf("%q is no time of a job", cut(s))
	}
	return t.UTC(), nil
}

// longest is a bound of durations: 100 years, of each of a million CPUs.
const longest = 100 * 366 * 24 * 3600 * 1e6

// span reads [[DAYS-]HH:]MM:SS[.FRACTION], as Slurm and PBS write it, or whole seconds.
func span(s string) (time.Duration, error) {
	if unknown(s) {
		return 0, nil
	}
	bad := fmt.Errorf("%q is no duration as 1-02:03:04", cut(s))
	days, clock, has := strings.Cut(s, "-")
	if !has {
		days, clock = "0", s
	}
	total := 0.0
	n, ok := amount(days)
	if !ok {
		return 0, bad
	}
	parts := strings.Split(clock, ":")
	if len(parts) > 3 {
		return 0, bad
	}
	for i, part := range parts {
		if i == len(parts)-1 {
			whole, fraction, has := strings.Cut(part, ".")
			if _, ok := amount(fraction); has && !ok {
				return 0, bad
			}
			f, err := strconv.ParseFloat(part, 64)
			if _, ok := amount(whole); !ok || err != nil {
				return 0, bad
			}
			total = total*60 + f
			continue
		}
		v, ok := amount(part)
		if !ok {
			return 0, bad
		}
		total = total*60 + float64(v)
	}
	if total += float64(n) * 86400; total > min(longest, math.MaxInt64/1e9/2) {
		return 0, bad
	}
	return time.Duration(math.Round(total*1e6)) * time.Microsecond, nil
}

// amount reads a number of digits only.
func amount(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// count reads a number, 0 for what is unknown.
func count(s string) (int, error) {
	if unknown(s) {
		return 0, nil
	}
	if n, ok := amount(s); ok {
		return n, nil
	}
	return 0, fmt.Errorf("%q is no number", cut(s))
}

// uid reads a user's number.
func uid(s string) (uint32, error) {
	if unknown(s) {
		return procmon.NoUID, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no user's number", cut(s))
	}
	return uint32(n), nil
}

// exit reads Slurm's CODE:SIGNAL.
func exit(s string) (*procmon.Exit, error) {
	if unknown(s) {
		return nil, nil
	}
	code, signal, _ := strings.Cut(s, ":")
	c, ok1 := amount(code)
	n, ok2 := amount(signal)
	if signal == "" {
		ok2 = true
	}
	if !ok1 || !ok2 || c > 255 || n > 127 {
		return nil, fmt.Errorf("%q is no exit code as 1:0", cut(s))
	}
	return &procmon.Exit{Code: c, Signal: n}, nil
}

// tres reads CPUs, GPUs and nodes from a list of trackable resources:
// "billing=4,cpu=4,gres/gpu=2,gres/gpu:a100=2,mem=4G,node=1".
func tres(s string) (cpus, gpus, nodes int) {
	typed := 0
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, ok := amount(value)
		switch {
		case !ok:
		case name == "cpu":
			cpus = n
		case name == "node":
			nodes = n
		case name == "gres/gpu":
			gpus = n
		case strings.HasPrefix(name, "gres/gpu:"):
			typed += n
		}
	}
	if gpus == 0 {
		gpus = typed
	}
	return cpus, gpus, nodes
}

// cut shortens a value for a message.
func cut(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
