package accounting

import (
	"strings"

	"procmon"
)

// shares adds up shares by host, in the order in which they come.
type shares struct {
	list []procmon.HostShare
	at   map[string]int
}

func (s *shares) add(host string, cpus, gpus int) {
	if s.at == nil {
		s.at = make(map[string]int)
	}
	i, ok := s.at[host]
	if !ok {
		i = len(s.list)
		s.at[host] = i
		s.list = append(s.list, procmon.HostShare{Host: host})
	}
	s.list[i].CPUs += cpus
	s.list[i].GPUs += gpus
}

// vnodes reads OpenPBS's exec_vnode, "(n1:ncpus=2:ngpus=1)+(n2:ncpus=2+n2[1]:ncpus=2)".
// A host's virtual nodes have its name and an index; a vnode that names none is the host.
func vnodes(s string) []procmon.HostShare {
	var sum shares
	for chunk := range strings.SplitSeq(strings.NewReplacer("(", "", ")", "").Replace(s), "+") {
		name, resources, _ := strings.Cut(chunk, ":")
		if name, _, _ = strings.Cut(name, "["); name == "" {
			return nil
		}
		cpus, gpus := 0, 0
		for r := range strings.SplitSeq(resources, ":") {
			key, value, _ := strings.Cut(r, "=")
			n, ok := amount(value)
			switch {
			case !ok:
			case key == "ncpus":
				cpus = n
			case key == "ngpus":
				gpus = n
			}
		}
		sum.add(name, cpus, gpus)
		if len(sum.list) > mostHosts {
			return nil
		}
	}
	return sum.list
}

// slots reads exec_host: OpenPBS's "n1/0*2+n2/0", Torque's "n1/0+n1/1+n2/0-1,4", one
// slot a CPU; and Torque's exec_gpus, "n1-gpu/0+n1-gpu/1".
func slots(hosts, gpus string) []procmon.HostShare {
	var sum shares
	for part := range strings.SplitSeq(hosts, "+") {
		host, what, ok := strings.Cut(part, "/")
		if host == "" || len(sum.list) > mostHosts {
			return nil
		}
		n := 1
		if ok {
			n = slotCount(what)
		}
		sum.add(host, n, 0)
	}
	for part := range strings.SplitSeq(gpus, "+") {
		host, what, ok := strings.Cut(part, "/")
		if host, gpu := strings.CutSuffix(host, "-gpu"); ok && gpu {
			if _, known := sum.at[host]; known {
				sum.add(host, 0, slotCount(what))
			}
		}
	}
	return sum.list
}

// slotCount counts "0", "0*13", "0-7,9".
func slotCount(s string) int {
	if _, times, ok := strings.Cut(s, "*"); ok {
		n, _ := amount(times)
		return n
	}
	n := 0
	for part := range strings.SplitSeq(s, ",") {
		first, last, ok := strings.Cut(part, "-")
		a, _ := amount(first)
		b, _ := amount(last)
		if ok && b > a {
			n += b - a
		}
		n++
	}
	return n
}

// nodeList writes hosts as PBS's users know them.
func nodeList(hosts []procmon.HostShare) string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Host
	}
	return strings.Join(names, "+")
}
