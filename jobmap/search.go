package jobmap

import (
	"strconv"
	"strings"

	"procmon"
)

// search is the finding of one process's job.
type search struct {
	m      *Mapper
	p      *procmon.Process
	parent procmon.Job
	job    procmon.Job

	claim claim            // which job it is
	by    procmon.Evidence // how that is known
	facts *facts           // what root wrote about it
	env   envClaim
}

// find goes down the rungs until one names a job that p can belong to.
func (s *search) find() {
	switch {
	case s.byCgroup():
		if d := schedulers[s.claim.scheduler].daemon; d != nil && d(s.p, s.claim) {
			s.job = procmon.Job{}
			return
		}
	case s.byAncestor(), s.byParent(), s.byEnviron(), s.byParentsWord():
	default:
		return
	}
	s.fill()
}

// byCgroup asks the process's own cgroup. On cgroup v1 its lines can name
// several jobs, since a user may move a process between jobs of their own.
func (s *search) byCgroup() bool {
	c, ok := cgroupClaim(s.p.Cgroups, s.m.slice)
	if !ok || !s.accept(c, procmon.EvidenceCgroup) {
		return false
	}
	for i := range s.p.Cgroups {
		sch := &schedulers[c.scheduler]
		if o, _ := sch.cgroup(s.p.Cgroups[i], s.m.slice); !o.none() {
			o.scheduler = c.scheduler
			if !o.same(&c) {
				s.conflict("cgroup", o.rawID)
			}
		}
	}
	if a, ok := s.titled(); ok && a.scheduler == c.scheduler {
		s.compare(a)
	}
	return true
}

// compare holds the nearest root-owned ancestor's title against the cgroup: it
// tells the number of a job known by its SLUID only, and may say otherwise.
func (s *search) compare(a claim) {
	switch {
	case s.claim.rawID == "":
		s.claim.rawID = a.rawID
		s.job.By[procmon.JobRawID] = procmon.EvidenceAncestor
		if s.facts == nil {
			s.factsOfTitle()
		}
	case s.claim.rawID != a.rawID:
		s.conflict("ancestor", a.rawID)
	}
}

// factsOfTitle looks for facts by the number that a title told of a SLUID.
func (s *search) factsOfTitle() {
	f := s.m.facts.find(schedulers[s.claim.scheduler].name, s.claim.rawID, "")
	if f != nil && (f.sluid == "" || f.sluid == s.claim.sluid) && (!f.hasUID || s.mayBe(f.uid, &s.claim, s.by)) {
		s.facts = f
	}
}

// cgroupClaim finds the line that decides.
func cgroupClaim(lines []procmon.Cgroup, slice string) (best claim, ok bool) {
	for sch := range schedulers {
		bestRank, task, taskRank := -1, "", -1
		for i := range lines {
			if shallow(lines[i].Path) {
				continue
			}
			c, rank := schedulers[sch].cgroup(lines[i], slice)
			if c.none() {
				continue
			}
			if bestRank < 0 || rank < bestRank {
				best, bestRank = c, rank
			}
			// A later controller's task number counts more: jobacct_gather's
			// (cpuacct) and that of 24.11 (cpuset) are the job's, while those
			// of task/cgroup up to 23.02 (devices, memory) are the node's.
			if c.task != "" && rank > taskRank {
				task, taskRank = c.task, rank
			}
		}
		if bestRank >= 0 {
			best.scheduler = sch
			if best.step != "" {
				best.task = task
			}
			return best, true
		}
	}
	return claim{}, false
}

// shallow says whether a path has one component at most: every scheduler keeps
// its jobs below a directory of its own, and most lines of cgroup v1 are "/".
func shallow(path string) bool { return strings.LastIndexByte(path, '/') <= 0 }

// sameLines says whether two processes have their cgroups in common, and the
// memory that tells them.
func sameLines(a, b []procmon.Cgroup) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// titled asks the ancestors' titles, nearest first.
func (s *search) titled() (claim, bool) {
	for i := range s.p.Ancestors {
		if s.p.Ancestors[i].UID != 0 {
			continue
		}
		for sch := range schedulers {
			if schedulers[sch].title == nil {
				continue
			}
			if c := schedulers[sch].title(s.p.Ancestors[i], s.claim); !c.none() {
				c.scheduler = sch
				return c, true
			}
		}
	}
	return claim{}, false
}

// byAncestor takes the job of the nearest ancestor that names one. A user's
// ancestor counts only by its cgroup, and then as the parent's job does: its
// processes were moved elsewhere after they began.
func (s *search) byAncestor() bool {
	if c, ok := s.titled(); ok && s.accept(c, procmon.EvidenceAncestor) {
		return true
	}
	var asked []procmon.Cgroup // they name no job
	for i := range s.p.Ancestors {
		lines := s.p.Ancestors[i].Cgroups
		if sameLines(lines, asked) {
			continue
		}
		asked = lines
		c, ok := cgroupClaim(lines, s.m.slice)
		if !ok {
			continue
		}
		by := procmon.EvidenceParent
		if s.p.Ancestors[i].UID == 0 {
			by = procmon.EvidenceAncestor
		}
		return s.accept(c, by)
	}
	return false
}

// byParent takes the parent's job, when that was not only its own word.
func (s *search) byParent() bool {
	return s.parent.Evidence.Proved() && s.inParent(procmon.EvidenceParent)
}

// byParentsWord takes a parent's job that rests on its environment alone, for
// a child with an empty one. It proves no more than the child's own would.
func (s *search) byParentsWord() bool {
	return s.parent.Evidence == procmon.EvidenceEnviron && s.inParent(procmon.EvidenceEnviron)
}

func (s *search) inParent(by procmon.Evidence) bool {
	return !s.parent.None() && s.accept(claim{
		scheduler: max(0, schedulerIndex(s.parent.Scheduler)),
		rawID:     s.parent.RawID, sluid: s.parent.SLUID, step: s.parent.Step, task: s.parent.Task,
		uid: s.parent.UID, hasUID: s.parent.By[procmon.JobUser] >= by,
	}, by)
}

// byEnviron believes the process itself, as a last resort.
func (s *search) byEnviron() bool {
	for sch := range schedulers {
		e := schedulers[sch].environ(s.p.Env, "")
		if len(e.id) == 0 || s.submitted(sch) {
			continue
		}
		if e.variant != "" {
			sch = schedulerIndex(e.variant)
		}
		c := claim{scheduler: sch, rawID: text(e.id, s.parent.RawID), step: text(e.step, s.parent.Step), task: text(e.task, s.parent.Task)}
		if schedulers[sch].title != nil {
			c.step = slurmStep(c.step)
		} else if c.rawID != "" {
			full := pbsClaim(c.rawID)
			c.array, c.index = full.array, full.index
		}
		c.uid, c.hasUID = parseUID(e.uid)
		if s.accept(c, procmon.EvidenceEnviron) {
			return true
		}
	}
	return false
}

// submitted says whether the process is on the submitting side of a job, where
// the environment names a job that runs on other nodes.
func (s *search) submitted(sch int) bool {
	submits := schedulers[sch].submits
	if submits == nil {
		return false
	}
	if submits(s.p.Comm, s.p.Exe) {
		return true
	}
	for i := range s.p.Ancestors {
		if submits(s.p.Ancestors[i].Comm, s.p.Ancestors[i].Exe) {
			return true
		}
	}
	return false
}

// accept settles the job, unless p can't be of it: then the claim is kept as a
// conflict.
func (s *search) accept(c claim, by procmon.Evidence) bool {
	f := s.m.facts.find(schedulers[c.scheduler].name, c.rawID, c.sluid)
	if f != nil && f.hasUID && c.hasUID && f.uid != c.uid && by > procmon.EvidenceEnviron {
		f = nil // of an earlier job of this id, or of another cluster
	}
	owner, known := c.uid, c.hasUID
	if f != nil && f.hasUID {
		owner, known = f.uid, true
	}
	if known && !s.mayBe(owner, &c, by) {
		s.conflict(by.String(), c.rawID)
		return false
	}
	s.claim, s.by, s.facts = c, by, f
	return true
}

// mayBe says whether a process can be of a job of owner: it is the owner's or
// root's, or whose it is could not be read, or its parent or an ancestor is in that job already, as with user
// ids of a container or after su.
func (s *search) mayBe(owner uint32, c *claim, by procmon.Evidence) bool {
	if s.p.UID == owner || s.p.UID == 0 || s.p.UID == procmon.NoUID {
		return true
	}
	if by == procmon.EvidenceEnviron {
		return false
	}
	sch := schedulers[c.scheduler].name
	if pa := &s.parent; !pa.None() && pa.Evidence.Proved() && pa.Scheduler == sch && pa.RawID == c.rawID && pa.SLUID == c.sluid {
		return true
	}
	for i := range s.p.Ancestors {
		if s.p.Ancestors[i].UID != owner {
			continue
		}
		if a, ok := cgroupClaim(s.p.Ancestors[i].Cgroups, s.m.slice); ok && a.same(c) {
			return true
		}
	}
	return false
}

// conflict notes what else claimed to be the job, each only once.
func (s *search) conflict(who, id string) {
	if id == "" {
		id = "another job"
	}
	note := who + " says " + id
	switch {
	case s.job.Conflict == "":
		s.job.Conflict = note
	case !strings.Contains(s.job.Conflict, note):
		s.job.Conflict += ", " + note
	}
}

// restart reads a count of restarts.
func restart[T string | []byte](s T) (int, bool) {
	if !digits(s) {
		return 0, false
	}
	n, err := strconv.Atoi(string(s))
	return n, err == nil && n >= 0
}
