package jobmap

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"procmon"
)

// Verdict says what became of one piece of evidence.
type Verdict string

// Verdicts.
const (
	Decided  Verdict = "decided"  // it says which job the process is in
	Agrees   Verdict = "agrees"   // it says the same as what decided
	Rejected Verdict = "rejected" // it is not believed, or names no job
)

// Step is one piece of evidence on the way to a job. Its texts hold what users
// made: any byte but NUL.
type Step struct {
	Rung     string  `json:"rung"`     // kind of evidence, as procmon.Evidence says it
	Evidence string  `json:"evidence"` // what was read: a line of a cgroup file, an ancestor, variables
	Says     string  `json:"says"`     // the job that it names; empty: none
	Verdict  Verdict `json:"verdict"`
	Why      string  `json:"why,omitempty"`
}

// Explain is Job, with all evidence that there is, best first, and what became
// of each. It is for people: it takes its time and allocates.
func (m *Mapper) Explain(p *procmon.Process, parent procmon.Job) (procmon.Job, []Step) {
	e := explainer{search: search{m: m, p: p, parent: parent}}
	e.refused = func(c claim, by procmon.Evidence, why string) {
		e.no = append(e.no, refusal{c, by, why})
	}
	e.find()
	e.cgroups()
	e.titles()
	e.ancestors()
	e.parents()
	e.environs()
	e.known()
	return e.job, e.trail
}

// explainer goes through all evidence again once the search is over.
type explainer struct {
	search
	no      []refusal
	trail   []Step
	decided bool // the step that decided is in the trail
}

type refusal struct {
	claim claim
	by    procmon.Evidence
	why   string
}

func (e *explainer) add(by procmon.Evidence, evidence, says string, v Verdict, why string) {
	e.trail = append(e.trail, Step{by.String(), evidence, says, v, why})
}

// judge says what became of a claim.
func (e *explainer) judge(c *claim, by procmon.Evidence) (Verdict, string) {
	for i := range e.no {
		if no := &e.no[i]; no.by == by && no.claim.same(c) {
			return Rejected, no.why
		}
	}
	switch {
	case e.daemon:
		return Rejected, "the scheduler's own process is no run of a user"
	case e.by == procmon.EvidenceNone:
		return Rejected, "a nearer one was refused"
	case c.scheduler != e.claim.scheduler:
		return Rejected, "a job of " + schedulers[e.claim.scheduler].name + " was found before"
	case !c.same(&e.claim) && (c.rawID == "" || !sameID(c.rawID, e.job.RawID)):
		return Rejected, e.by.String() + " is better evidence and says " + firstSaid(e.job.RawID, e.job.SLUID)
	case by == e.by && !e.decided:
		e.decided = true
		return Decided, ""
	}
	return Agrees, ""
}

// cgroups shows the process's own lines, the one that decides first.
func (e *explainer) cgroups() {
	lines := e.p.Cgroups
	best := -1
	for i, bestRank := 0, 0; i < len(lines); i++ {
		c, rank := e.m.rules.read(&lines[i])
		if !c.none() && e.by == procmon.EvidenceCgroup && c.same(&e.claim) && (best < 0 || rank < bestRank) {
			best, bestRank = i, rank
		}
	}
	if best >= 0 {
		e.cgroup(&lines[best])
	}
	seen := map[string]bool{}
	for i := range lines {
		c, _ := e.m.rules.read(&lines[i])
		if i == best || len(lines[i].Path) < 2 || c.none() && seen[lines[i].Path] {
			continue
		}
		seen[lines[i].Path] = true
		e.cgroup(&lines[i])
	}
}

func (e *explainer) cgroup(l *procmon.Cgroup) {
	c, _ := e.m.rules.read(l)
	text := strconv.Itoa(l.Hierarchy) + ":" + l.Controllers + ":" + l.Path
	if c.none() {
		e.add(procmon.EvidenceCgroup, text, "", Rejected, "names no job from its root on")
		return
	}
	v, why := e.judge(&c, procmon.EvidenceCgroup)
	e.add(procmon.EvidenceCgroup, text, c.said(), v, why)
}

// titles shows the ancestors whose title names a job, users' too.
func (e *explainer) titles() {
	for i := range e.p.Ancestors {
		a := e.p.Ancestors[i]
		text := ancestorText(&a) + " " + string(bytes.TrimRight(bytes.ReplaceAll(a.Args, []byte{0}, []byte{' '}), " "))
		if c := titleOf(&a, claim{}); !c.none() {
			v, why := e.judge(&c, procmon.EvidenceAncestor)
			e.add(procmon.EvidenceAncestor, text, c.said(), v, why)
			continue
		}
		real := a
		a.UID, a.Exe = 0, ""
		if c := titleOf(&a, claim{}); !c.none() {
			why := "it belongs to a user, not to root"
			if real.UID == 0 {
				why = "its executable is not the scheduler's"
			}
			e.add(procmon.EvidenceAncestor, text, c.said(), Rejected, why)
		}
	}
}

// ancestors shows what their cgroups say where the process's own says nothing.
func (e *explainer) ancestors() {
	if e.by == procmon.EvidenceCgroup || e.daemon {
		return
	}
	for i := range e.p.Ancestors {
		a := &e.p.Ancestors[i]
		c, _, ok := e.m.rules.claim(a.Cgroups)
		if !ok {
			continue
		}
		by := procmon.EvidenceParent
		if a.UID == 0 {
			by = procmon.EvidenceAncestor
		}
		v, why := e.judge(&c, by)
		e.add(by, ancestorText(a)+" in its cgroup", c.said(), v, why)
	}
}

func (e *explainer) parents() {
	if e.parent.None() {
		return
	}
	by := procmon.EvidenceParent
	if !e.parent.Evidence.Proved() {
		by = procmon.EvidenceEnviron
	}
	c := parentClaim(&e.parent, by)
	text := "the job of the process that started it, known by its " + e.parent.Evidence.String()
	v, why := e.judge(&c, by)
	e.add(by, text, c.said(), v, why)
}

// environs shows what the environment says, as each scheduler reads it.
func (e *explainer) environs() {
	var seen []claim
	for sch := range schedulers {
		c := e.environClaim(sch)
		if c.none() || slices.ContainsFunc(seen, func(o claim) bool { return o.same(&c) }) {
			continue
		}
		seen = append(seen, c)
		v, why := e.judge(&c, procmon.EvidenceEnviron)
		switch {
		case e.by == procmon.EvidenceNone && e.submitted(sch):
			v, why = Rejected, "it or an ancestor is a client on the submitting side: the job runs elsewhere"
		case v == Rejected && c.scheduler == e.claim.scheduler && len(e.env.id) > 0:
			v, why = Agrees, "it names the leader of the heterogeneous job"
		}
		e.add(procmon.EvidenceEnviron, "variables of "+schedulers[c.scheduler].name, c.said(), v, why)
	}
}

// known shows what root wrote about the job.
func (e *explainer) known() {
	f := e.facts
	if f == nil || e.job.None() {
		return
	}
	text := "the job's file in the jobs directory"
	if e.claim.ad {
		text = "the job's ad in HTCondor's execute directory"
	}
	says := f.scheduler + " " + f.id
	for _, part := range [...][2]string{{"user", f.user}, {"account", f.account}, {"partition", f.queue}, {"cluster", f.cluster}} {
		if part[1] != "" {
			says += " " + part[0] + " " + part[1]
		}
	}
	why := ""
	if f.ended() {
		why = "the job has ended: the process outlived it"
	}
	e.add(procmon.EvidenceFacts, text, says, Agrees, why)
}

func ancestorText(a *procmon.Ancestor) string {
	return a.Comm + " (pid " + strconv.Itoa(int(a.ID.PID)) + ", uid " + strconv.FormatUint(uint64(a.UID), 10) + ")"
}

// said puts a claim in words.
func (c *claim) said() string {
	words := []string{schedulers[c.scheduler].name}
	for _, part := range [...]string{c.rawID, c.sluid} {
		if part != "" {
			words = append(words, part)
		}
	}
	for _, part := range [...][2]string{{"step", c.step}, {"task", c.task}} {
		if part[1] != "" {
			words = append(words, part[0], part[1])
		}
	}
	return strings.Join(words, " ")
}

func firstSaid(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
