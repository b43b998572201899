package jobmap

import (
	"slices"
	"strings"

	"procmon"
)

// maxID is the longest job id that is taken for one, in bytes. PBS allows 7 or
// more digits, an index and a host name.
const maxID = 320

// siteRules are what a node's administrator told of its schedulers.
type siteRules struct {
	slice    string // path of the configured slice of Slurm, "" for none
	minUID   uint32 // the first user id of people
	patterns []Pattern
}

// cgroupLine is one line of a process's cgroup file, made ready for reading from its
// root.
type cgroupLine struct {
	path string // without " (deleted)" and leading "/.."
	top  string // its first component
	rest string // what follows that
	up   bool   // there were leading "/..": the path starts at an unknown depth
	v2   bool   // of cgroup v2
}

func newLine(c *procmon.Cgroup) (l cgroupLine) {
	l.path, l.up = anchored(c.Path)
	l.top, l.rest = component(l.path)
	l.v2 = c.Hierarchy == 0 && c.Controllers == ""
	return l
}

// claim finds the line that decides. On cgroup v1 the lines can name several
// jobs, since a user may move a process between jobs of their own; mixed says
// that they do.
func (s *siteRules) claim(lines []procmon.Cgroup) (best claim, mixed, ok bool) {
	bestRank, task, taskRank := 0, "", -1
	for i := range lines {
		c, rank := s.read(&lines[i])
		switch {
		case c.none() || ok && c.scheduler > best.scheduler:
			continue
		case !ok || c.scheduler < best.scheduler:
			best, bestRank, mixed, ok = c, rank, false, true
			task, taskRank = "", -1
		default:
			mixed = mixed || !c.same(&best)
			if rank < bestRank {
				best, bestRank = c, rank
			}
		}
		// A later controller's task number counts more: jobacct_gather's
		// (cpuacct) and that of 24.11 (cpuset) are the job's, while those
		// of task/cgroup up to 23.02 (devices, memory) are the node's.
		if c.task != "" && rank > taskRank {
			task, taskRank = c.task, rank
		}
	}
	if mixed {
		task = s.taskIn(lines, &best)
	}
	if best.step != "" {
		best.task = task
	}
	return best, mixed, ok
}

// taskIn is the task told by those lines that name the same job and step.
func (s *siteRules) taskIn(lines []procmon.Cgroup, of *claim) (task string) {
	best := -1
	for i := range lines {
		if c, rank := s.read(&lines[i]); c.task != "" && rank > best && c.same(of) && c.step == of.step {
			task, best = c.task, rank
		}
	}
	return task
}

// read asks every scheduler, and then the site's patterns, what one line says.
// Rank says which line decides when several of one scheduler name a job, least
// first.
func (s *siteRules) read(c *procmon.Cgroup) (cl claim, rank int) {
	if shallow(c.Path) {
		return claim{}, 0
	}
	l := newLine(c)
	for i := range schedulers {
		sch := &schedulers[i]
		if sch.cgroup == nil {
			continue
		}
		if cl = sch.cgroup(l, s); cl.none() {
			continue
		}
		if rank = controllerRank(c, sch.controllers); rank < 0 {
			return claim{}, 0
		}
		cl.scheduler = i
		return cl, rank
	}
	for i := range s.patterns {
		if cl = s.patterns[i].claim(l.path); !cl.none() {
			return cl, max(0, controllerRank(c, schedulers[cl.scheduler].controllers))
		}
	}
	return claim{}, 0
}

// shallow says whether a path has one component at most: every scheduler keeps
// its jobs below a directory of its own, and most lines of cgroup v1 are "/".
func shallow(path string) bool { return strings.LastIndexByte(path, '/') <= 0 }

// sameLines says whether two processes have their cgroups in common. They
// often share the memory that tells them.
func sameLines(a, b []procmon.Cgroup) bool {
	return len(a) == len(b) && len(a) > 0 && (&a[0] == &b[0] || slices.Equal(a, b))
}

// anchored prepares the path of a cgroup for reading from its root: it takes
// away " (deleted)", which the kernel appends once the directory is gone, and
// the "/.." that a reader in a cgroup namespace of its own sees
// (cgroup_namespaces(7)). up says that there were some: the path then starts
// at an unknown depth.
func anchored(path string) (rest string, up bool) {
	rest = strings.TrimSuffix(path, " (deleted)")
	for strings.HasPrefix(rest, "/..") && (len(rest) == 3 || rest[3] == '/') {
		rest, up = rest[3:], true
	}
	return rest, up
}

// component cuts the first component off an absolute path.
func component(path string) (first, rest string) {
	if path == "" || path[0] != '/' {
		return "", ""
	}
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// base is the last component of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// controllerRank says how far one of the wanted controllers of a line stands
// from the front of the list, -1 when it has none of them. Controllers can
// share a hierarchy: "cpu,cpuacct".
func controllerRank(c *procmon.Cgroup, wanted []string) int {
	for i, w := range wanted {
		if c.Controllers == w {
			return i
		}
	}
	for i, w := range wanted {
		for list := c.Controllers; list != ""; {
			var one string
			one, list, _ = strings.Cut(list, ",")
			if one == w {
				return i
			}
		}
	}
	return -1
}

// digits says whether s is a decimal number of at most 10 digits, which is
// what ids of 32 bits have.
func digits[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 10 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// parseUID reads a user id.
func parseUID[T string | []byte](s T) (uid uint32, ok bool) {
	if !digits(s) {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		n = n*10 + uint64(s[i]-'0')
	}
	if n >= uint64(procmon.NoUID) {
		return 0, false
	}
	return uint32(n), true
}
