package procfs

import (
	"bytes"
	"fmt"

	"procmon"
)

// ParseCgroup takes apart /proc/PID/cgroup (cgroups(7)): a line for each
// hierarchy, "number:controllers:path". The path is the user's to some extent
// and may hold spaces and colons; the kernel escapes newlines in it. Lines
// that don't fit are left out and make the error.
func ParseCgroup(b []byte) ([]procmon.Cgroup, error) {
	groups := make([]procmon.Cgroup, 0, bytes.Count(b, []byte{'\n'})+1)
	// One string for all, so that a process costs two allocations here.
	text := string(b)
	var bad error
	for start := 0; start < len(text); {
		end := start + indexOrEnd(text[start:], '\n')
		line := text[start:end]
		start = end + 1
		colon := indexOrEnd(line, ':')
		hierarchy, ok := parseUint(b[end-len(line) : end-len(line)+colon])
		if !ok || colon == len(line) || hierarchy > 1<<16 {
			bad = fmt.Errorf("cgroup: %w: %.40q", ErrFormat, line)
			continue
		}
		rest := line[colon+1:]
		second := indexOrEnd(rest, ':')
		if second == len(rest) {
			bad = fmt.Errorf("cgroup: %w: %.40q", ErrFormat, line)
			continue
		}
		groups = append(groups, procmon.Cgroup{Hierarchy: int(hierarchy), Controllers: rest[:second], Path: rest[second+1:]})
	}
	return groups, bad
}

func indexOrEnd(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return len(s)
}
