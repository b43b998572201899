package accounting

import (
	"fmt"
	"strings"

	"procmon"
)

// mostHosts bounds what a list of hosts is expanded to; the largest clusters
// have some ten thousand.
const mostHosts = 1 << 16

// expand lists the hosts of Slurm's "n[1-3,5],m007"; nil when it is no such list.
func expand(list string) []procmon.HostShare {
	var names []string
	for list != "" {
		depth, end := 0, len(list)
	scan:
		for i := range len(list) {
			switch list[i] {
			case '[':
				depth++
			case ']':
				depth--
			case ',':
				if depth == 0 {
					end = i
					break scan
				}
			}
		}
		more := expandOne(list[:end])
		if more == nil || len(names)+len(more) > mostHosts {
			return nil
		}
		names = append(names, more...)
		list = strings.TrimPrefix(list[end:], ",")
	}
	hosts := make([]procmon.HostShare, len(names))
	for i, name := range names {
		hosts[i].Host = name
	}
	return hosts
}

// expandOne expands the brackets of one name, from the left.
func expandOne(name string) []string {
	before, rest, has := strings.Cut(name, "[")
	if !has {
		if name == "" || strings.Contains(name, "]") {
			return nil
		}
		return []string{name}
	}
	ranges, after, has := strings.Cut(rest, "]")
	if !has {
		return nil
	}
	tails := []string{""}
	if after != "" {
		if tails = expandOne(after); tails == nil {
			return nil
		}
	}
	var out []string
	for r := range strings.SplitSeq(ranges, ",") {
		first, last, has := strings.Cut(r, "-")
		if !has {
			last = first
		}
		a, ok1 := amount(first)
		b, ok2 := amount(last)
		if !ok1 || !ok2 || a > b || (b-a+1)*len(tails)+len(out) > mostHosts {
			return nil
		}
		for n := a; n <= b; n++ {
			for _, tail := range tails {
				out = append(out, fmt.Sprintf("%s%0*d%s", before, len(first), n, tail))
			}
		}
	}
	return out
}
