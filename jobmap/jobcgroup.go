package jobmap

import (
	"strings"

	"procmon"
)

// Cgroup gives the cgroup that all of a job has on this host, where the kernel
// counts CPU time: on cgroup v1 that of cpuacct. Its path ends at the job's own
// directory. It is found for jobs that a process's cgroup names; p is a process
// in the job.
func (m *Mapper) Cgroup(p *procmon.Process, job *procmon.Job) (procmon.Cgroup, bool) {
	if job.Evidence != procmon.EvidenceCgroup {
		return procmon.Cgroup{}, false
	}
	for i := range p.Cgroups {
		line := p.Cgroups[i]
		if !countsCPU(&line) {
			continue
		}
		// Above a namespace's root nothing can be found by its path.
		path, up := anchored(line.Path)
		if up {
			continue
		}
		for end := range len(path) + 1 {
			if end < len(path) && path[end] != '/' || end == 0 {
				continue
			}
			line.Path = path[:end]
			if c, _ := m.rules.read(&line); !c.none() {
				if namesJob(&c, job) {
					return line, true
				}
				break // the first job in a path counts
			}
		}
	}
	return procmon.Cgroup{}, false
}

// countsCPU says whether a line is of a hierarchy that counts CPU time. In
// cgroup v2 every cgroup does.
func countsCPU(c *procmon.Cgroup) bool {
	if c.Hierarchy == 0 && c.Controllers == "" {
		return true
	}
	for one := range strings.SplitSeq(c.Controllers, ",") {
		if one == "cpuacct" {
			return true
		}
	}
	return false
}

// namesJob says whether a claim is of a job. A slot is of many, one after
// another.
func namesJob(c *claim, job *procmon.Job) bool {
	switch {
	case c.ad || schedulers[c.scheduler].name != job.Scheduler:
		return false
	case c.rawID != "":
		return sameID(c.rawID, job.RawID)
	}
	return c.sluid == job.SLUID
}
