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

	refused func(c claim, by procmon.Evidence, why string) // hears of refused claims; nil: nobody does
	daemon  bool                                           // the process is the scheduler's own
}

// find goes down the rungs until one names a job that p can belong to.
func (s *search) find() {
	switch {
	case s.byCgroup():
		if d := schedulers[s.claim.scheduler].daemon; d != nil && d(s.p, s.claim) {
			s.job, s.daemon = procmon.Job{}, true
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
	c, mixed, ok := s.m.rules.claim(s.p.Cgroups)
	if !ok || !s.accept(c, procmon.EvidenceCgroup) {
		return false
	}
	if mixed {
		for i := range s.p.Cgroups {
			if o, _ := s.m.rules.read(&s.p.Cgroups[i]); !o.none() && o.scheduler == c.scheduler && !o.same(&c) {
				s.conflict("cgroup", o.rawID)
			}
		}
	}
	if a, ok := s.titled(); ok && a.scheduler == c.scheduler && a.rawID != "" {
		s.compare(&a)
	}
	return true
}

// compare holds the nearest root-owned ancestor's title against the cgroup: it
// tells the number of a job known by its SLUID only, and may say otherwise.
func (s *search) compare(a *claim) {
	switch {
	case s.claim.rawID == "":
		s.claim.rawID = a.rawID
		s.job.By[procmon.JobRawID] = procmon.EvidenceAncestor
		if s.facts == nil {
			s.factsOfTitle()
		}
	case !sameID(s.claim.rawID, a.rawID):
		s.conflict("ancestor", a.rawID)
	}
}

// factsOfTitle looks for facts by the number that a title told of a SLUID.
func (s *search) factsOfTitle() {
	f := s.m.facts.find(s.p, schedulers[s.claim.scheduler].name, s.claim.rawID, "")
	if f != nil && (f.sluid == "" || f.sluid == s.claim.sluid) && (!f.hasUID || s.mayBe(f.uid, &s.claim, s.by)) {
		s.facts = f
	}
}

// factsOf is what root wrote of a job.
func (s *search) factsOf(c *claim) *facts {
	if c.ad {
		return s.m.ads.find(s.p.Ancestors, c.step)
	}
	return s.m.facts.find(s.p, schedulers[c.scheduler].name, c.rawID, c.sluid)
}

// titled asks the ancestors' titles, nearest first.
func (s *search) titled() (claim, bool) {
	for i := range s.p.Ancestors {
		if s.p.Ancestors[i].UID != 0 {
			continue
		}
		if c := titleOf(&s.p.Ancestors[i], s.claim); !c.none() {
			return c, true
		}
	}
	return claim{}, false
}

// titleOf asks every scheduler what an ancestor's title says.
func titleOf(a *procmon.Ancestor, known claim) claim {
	for i := range schedulers {
		if title := schedulers[i].title; title != nil {
			if c := title(a, known); !c.none() {
				c.scheduler = i
				return c
			}
		}
	}
	return claim{}
}

// byAncestor takes the job of the nearest ancestor that names one. A user's
// ancestor counts only by its cgroup, and then as the parent's job does: its
// processes were moved elsewhere after they began.
func (s *search) byAncestor() bool {
	if c, ok := s.titled(); ok && s.accept(c, procmon.EvidenceAncestor) {
		return true
	}
	asked := s.p.Cgroups // they name no job, or one that was refused
	for i := range s.p.Ancestors {
		lines := s.p.Ancestors[i].Cgroups
		if sameLines(lines, asked) {
			continue
		}
		asked = lines
		c, _, ok := s.m.rules.claim(lines)
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
	return !s.parent.None() && s.accept(parentClaim(&s.parent, by), by)
}

func parentClaim(parent *procmon.Job, by procmon.Evidence) claim {
	return claim{
		scheduler: max(0, schedulerIndex(parent.Scheduler)),
		rawID:     parent.RawID, sluid: parent.SLUID, step: parent.Step, task: parent.Task,
		uid: parent.UID, hasUID: parent.By[procmon.JobUser] >= by && parent.By[procmon.JobUser] != procmon.EvidenceNone,
	}
}

// byEnviron believes the process itself, as a last resort.
func (s *search) byEnviron() bool {
	if len(s.p.Env) == 0 {
		return false
	}
	for sch := range schedulers {
		if c := s.environClaim(sch); !c.none() && !s.submitted(sch) && s.accept(c, procmon.EvidenceEnviron) {
			return true
		}
	}
	return false
}

// environClaim is the job that the environment names as one scheduler's.
func (s *search) environClaim(sch int) (c claim) {
	e := schedulers[sch].environOf(s.p.Env, "")
	if len(e.id) == 0 {
		return claim{}
	}
	if e.variant != "" {
		sch = schedulerIndex(e.variant)
	}
	c = claim{scheduler: sch, rawID: text(e.id, s.parent.RawID), task: text(e.task, s.parent.Task)}
	c.step = schedulers[sch].stepName(text(e.step, s.parent.Step))
	c.uid, c.hasUID = parseUID(e.uid)
	return c
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
	f := s.factsOf(&c)
	if f != nil && f.hasUID && c.hasUID && f.uid != c.uid && by > procmon.EvidenceEnviron {
		f = nil // of an earlier job of this id, or of another cluster
	}
	if c.ad && f == nil {
		s.refuse(c, by, "no job ad that could be trusted says whose slot it is")
		return false
	}
	owner, known := c.uid, c.hasUID
	if f != nil && f.hasUID {
		owner, known = f.uid, true
	}
	if known && !s.mayBe(owner, &c, by) {
		id := c.rawID
		if id == "" && f != nil {
			id = f.id
		}
		s.conflict(by.String(), id)
		s.refuse(c, by, "the job is another user's")
		return false
	}
	s.claim, s.by, s.facts = c, by, f
	if f != nil && f.endedBefore(s.p) {
		s.contradicted("facts say it has ended")
	}
	return true
}

// refuse tells who listens of a claim that was not believed.
func (s *search) refuse(c claim, by procmon.Evidence, why string) {
	if s.refused != nil {
		s.refused(c, by, why)
	}
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
	if pa := &s.parent; !pa.None() && pa.Evidence.Proved() && pa.Scheduler == sch {
		if c.ad && pa.Step == c.step || !c.ad && pa.RawID == c.rawID && pa.SLUID == c.sluid {
			return true
		}
	}
	for i := range s.p.Ancestors {
		if s.p.Ancestors[i].UID != owner {
			continue
		}
		if a, _, ok := s.m.rules.claim(s.p.Ancestors[i].Cgroups); ok && a.same(c) {
			return true
		}
	}
	return false
}

// conflict notes what else claimed to be the job.
func (s *search) conflict(who, id string) {
	if id == "" {
		id = "another job"
	}
	s.contradicted(who + " says " + id)
}

// contradicted notes a contradiction, each only once.
func (s *search) contradicted(note string) {
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
