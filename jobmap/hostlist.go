package jobmap

import (
	"strconv"
	"strings"
)

// maxNodes bounds how many nodes of a host list are counted.
const maxNodes = 1 << 20

// slurmCPUs says how many CPUs a job has on node: perNode is
// SLURM_JOB_CPUS_PER_NODE, "2(x3),4" for three nodes of 2 and one of 4 in the
// order of nodelist (srun(1)). 0 when that can't be told.
func slurmCPUs(perNode, nodelist, node string) int {
	place := 0
	if strings.IndexByte(perNode, ',') >= 0 {
		if place = hostIndex(nodelist, node); place < 0 {
			return 0
		}
	}
	for list := perNode; list != ""; {
		var one string
		one, list, _ = strings.Cut(list, ",")
		cpus, times, ok := repeated(one)
		if !ok {
			return 0
		}
		if place < times {
			return cpus
		}
		place -= times
	}
	return 0
}

// repeated reads "2(x3)" or "2".
func repeated(s string) (value, times int, ok bool) {
	number, rest, more := strings.Cut(s, "(x")
	if value, ok = restart(number); !ok || !more {
		return value, 1, ok && !more
	}
	count, isClosed := strings.CutSuffix(rest, ")")
	times, ok = restart(count)
	return value, times, ok && isClosed
}

// hostIndex is the place of host in a Slurm host list like
// "a[1-2,07],b3,c[1-2]d[0-1]-e" (scontrol(1), show hostlist), -1 when it is
// not in it.
func hostIndex(list, host string) int {
	place := 0
	for list != "" && place < maxNodes {
		var one string
		if one, list = cutHost(list); one == "" {
			continue
		}
		index, count := matchHost(one, host)
		if index >= 0 {
			return place + index
		}
		if count <= 0 {
			return -1
		}
		place += count
	}
	return -1
}

// cutHost cuts at the first comma that is in no brackets.
func cutHost(list string) (first, rest string) {
	inside := false
	for i := range len(list) {
		switch list[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ',':
			if !inside {
				return list[:i], list[i+1:]
			}
		}
	}
	return list, ""
}

// matchHost compares a pattern with a host. index is the host's place among
// the names that the pattern stands for, -1 when it is not among them; count is
// how many those are, 0 for a pattern that is none.
func matchHost(pattern, host string) (index, count int) {
	prefix, rest, more := strings.Cut(pattern, "[")
	if !more {
		if pattern == host {
			return 0, 1
		}
		return -1, 1
	}
	ranges, rest, closed := strings.Cut(rest, "]")
	if !closed {
		return -1, 0
	}
	tail, isHost := strings.CutPrefix(host, prefix)
	size, at, width := 0, -1, 0
	for ranges != "" {
		var one string
		one, ranges, _ = strings.Cut(ranges, ",")
		low, high, digitCount, ok := hostRange(one)
		if !ok || size+high-low+1 > maxNodes {
			return -1, 0
		}
		if n, w := hostNumber(tail, digitCount); isHost && at < 0 && w > 0 && n >= low && n <= high {
			at, width = size+n-low, w
		}
		size += high - low + 1
	}
	if size == 0 {
		return -1, 0
	}
	if at < 0 {
		_, inner := matchHost(rest, "")
		return -1, product(size, inner)
	}
	inside, inner := matchHost(rest, tail[width:])
	if inside < 0 || inner <= 0 {
		return -1, product(size, inner)
	}
	return at*inner + inside, product(size, inner)
}

func product(a, b int) int {
	if b <= 0 || a > maxNodes/b {
		return 0
	}
	return a * b
}

// hostRange reads "07" or "07-12"; width is how many digits its numbers have
// at least.
func hostRange(s string) (low, high, width int, ok bool) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	if low, ok = restart(first); !ok {
		return 0, 0, 0, false
	}
	high, ok = restart(last)
	return low, high, len(first), ok && low <= high
}

// hostNumber reads the digits at the front of s as a number of a range whose
// numbers have width digits, and more only when they need them.
func hostNumber(s string, width int) (n, used int) {
	end := number(s, 0)
	if end < width || end > 10 || end > width && s[0] == '0' {
		return 0, 0
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0, 0
	}
	return n, end
}

// countList counts "0,1" and "0-3" (SLURM_JOB_GPUS: the numbers of the GPUs).
func countList(list string) (count int) {
	for list != "" && count < maxNodes {
		var one string
		one, list, _ = strings.Cut(list, ",")
		if one == "" {
			continue
		}
		if low, high, _, ok := hostRange(one); ok && high-low < maxNodes {
			count += high - low
		}
		count++
	}
	return count
}
