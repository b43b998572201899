package procconn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parseCPUs reads a list as the kernel writes them ("0-3,8"; cpuset(7), "List
// format"). The result ascends.
func parseCPUs(text string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		lo, err1 := strconv.ParseUint(from, 10, 16)
		hi, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || lo > hi {
			return nil, fmt.Errorf("list of CPUs: %q", part)
		}
		for cpu := lo; cpu <= hi; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

// readerCPUs says where readers go: on each CPU that the daemon may use, but not
// on isolated ones, which are kept for one program's undisturbed work. If there
// is no other, they must do.
func readerCPUs(allowed, isolated []int) []int {
	cpus := slices.DeleteFunc(slices.Clone(allowed), func(cpu int) bool { return slices.Contains(isolated, cpu) })
	if len(cpus) == 0 {
		return allowed
	}
	return cpus
}

// joined knows the readers that came after the first, with the CPU of each and
// the time (CLOCK_MONOTONIC) from which on it tells that CPU's events: until the
// first reader's filter follows, it gets them as well.
type joined map[int]uint64

// has says whether an event is the given reader's to tell.
func (j joined) has(reader int, m *message) bool {
	since, ok := j[int(m.CPU)]
	return !ok || (reader == int(m.CPU)) == (m.Time >= since)
}
