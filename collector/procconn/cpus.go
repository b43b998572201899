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

// place is where a reader goes, and the CPUs whose events it takes.
type place struct {
	cpu   int
	takes cpuRange
}

// places spreads at most that many readers over CPUs, which ascend. Each takes
// the events of its own CPU and of those up to the next reader's, online or not.
func places(cpus []int, most int) []place {
	var all []place
	each := (len(cpus) + most - 1) / most
	for i := 0; i < len(cpus); i += each {
		p := place{cpu: cpus[i], takes: cpuRange{uint32(cpus[i]), maxCPU}}
		if i == 0 {
			p.takes.lo = 0
		} else {
			all[len(all)-1].takes.hi = uint32(cpus[i]) - 1
		}
		all = append(all, p)
	}
	return all
}

// joined knows the CPUs that got a reader later, and from which time on
// (CLOCK_MONOTONIC) that one tells their events: until the filter of the reader
// that had them follows, both get them.
type joined map[int]uint64

// has says whether an event is the given reader's to tell.
func (j joined) has(reader int, m *message) bool {
	since, ok := j[int(m.CPU)]
	return !ok || (reader == int(m.CPU)) == (m.Time >= since)
}
