package jobmap

import (
	"procmon"
)

// fill says what is known of the job that was found. Each field is taken from
// the best evidence that has it: facts, then cgroup or ancestor, then the
// environment, then what the parent's job had, which keeps its evidence.
func (s *search) fill() {
	j := &s.job
	j.Scheduler, j.Evidence = schedulers[s.claim.scheduler].name, s.by
	if j.By[procmon.JobRawID] == procmon.EvidenceNone {
		s.set(&j.RawID, procmon.JobRawID, s.claim.rawID, s.by)
	} else {
		j.RawID = s.claim.rawID // a title told the number of a SLUID
	}
	j.SLUID = s.claim.sluid
	s.set(&j.Step, procmon.JobStep, s.claim.step, s.by)
	s.set(&j.Task, procmon.JobTask, s.claim.task, s.by)
	if s.m.cluster != "" {
		s.set(&j.Cluster, procmon.JobCluster, s.m.cluster, procmon.EvidenceFacts)
	}
	s.fillFacts()
	if s.claim.hasUID && j.By[procmon.JobUser] == procmon.EvidenceNone {
		j.UID, j.By[procmon.JobUser] = s.claim.uid, s.by
	}
	s.fillEnviron()
	s.inherit()
	s.name()
}

// set gives a field its value when it has none yet.
func (s *search) set(to *string, f procmon.JobField, value string, by procmon.Evidence) {
	if *to == "" && value != "" {
		*to, s.job.By[f] = value, by
	}
}

func (s *search) fillFacts() {
	f, j := s.facts, &s.job
	if f == nil {
		return
	}
	const by = procmon.EvidenceFacts
	if (s.claim.sluid != "" || s.claim.ad) && f.id != "" {
		if j.RawID != "" && j.RawID != f.id {
			s.conflict("ancestor", j.RawID)
		}
		j.RawID, j.By[procmon.JobRawID] = f.id, by
	}
	if j.SLUID == "" {
		j.SLUID = f.sluid
	}
	s.set(&j.Cluster, procmon.JobCluster, f.cluster, by)
	s.set(&j.Account, procmon.JobAccount, f.account, by)
	s.set(&j.Partition, procmon.JobPartition, f.queue, by)
	s.set(&j.Name, procmon.JobName, f.name, by)
	if f.hasUID {
		j.User, j.UID, j.By[procmon.JobUser] = f.user, f.uid, by
	}
	j.Restart, j.By[procmon.JobRestart] = f.restart, by
	j.ArrayJob, j.ArrayTask, j.HetJob, j.HetOffset = f.array, f.index, f.hetJob, f.hetOffset
}

// fillEnviron takes what the environment says of this job, and notes when it
// is of another one.
func (s *search) fillEnviron() {
	j := &s.job
	sch := &schedulers[s.claim.scheduler]
	s.env = sch.environOf(s.p.Env, j.RawID)
	e := &s.env
	if len(e.id) == 0 || !s.agrees() {
		s.env = envClaim{}
		return
	}
	const by = procmon.EvidenceEnviron
	pa := &s.parent
	if j.RawID == "" && !e.hetMember && len(e.hetLeader) == 0 {
		s.set(&j.RawID, procmon.JobRawID, text(e.id, pa.RawID), by)
	}
	if extends(e.id, j.RawID) { // the task of an array that other evidence does not tell
		j.RawID, j.By[procmon.JobRawID] = text(e.id, pa.RawID), by
	}
	s.set(&j.Step, procmon.JobStep, sch.stepName(text(e.step, pa.Step)), by)
	if j.Step != stepExtern {
		s.set(&j.Task, procmon.JobTask, text(e.task, pa.Task), by)
	}
	s.set(&j.Cluster, procmon.JobCluster, text(e.cluster, pa.Cluster), by)
	s.set(&j.Account, procmon.JobAccount, text(e.account, pa.Account), by)
	s.set(&j.Partition, procmon.JobPartition, text(e.queue, pa.Partition), by)
	s.set(&j.Name, procmon.JobName, text(e.name, pa.Name), by)
	if n, ok := restart(e.restart); ok && j.By[procmon.JobRestart] == procmon.EvidenceNone {
		j.Restart, j.By[procmon.JobRestart] = n, by
	}
	if j.By[procmon.JobUser] <= by {
		if uid, ok := parseUID(e.uid); ok {
			j.User, j.UID, j.By[procmon.JobUser] = text(e.user, pa.User), uid, by
		}
	}
}

// agrees compares the environment's job with the one found. The leader's id is
// a heterogeneous job's own word for its later components.
func (s *search) agrees() bool {
	j, e := &s.job, &s.env
	if j.SLUID != "" && len(e.sluid) > 0 && string(e.sluid) != j.SLUID {
		s.conflict("environ", text(e.id, ""))
		return false
	}
	if j.RawID == "" {
		return len(e.sluid) > 0 // it names the directory that root made
	}
	switch {
	case string(e.id) == j.RawID, extends(e.id, j.RawID), extends(j.RawID, text(e.id, "")):
		return true
	case e.hetMember && string(e.hetLeader) == string(e.id):
		return true
	case j.HetJob != "" && string(e.id) == j.HetJob:
		return true
	}
	s.conflict("environ", text(e.id, ""))
	return false
}

// inherit takes what is still unknown from the parent's job, if it is the same.
func (s *search) inherit() {
	j, pa := &s.job, &s.parent
	if pa.None() || pa.Scheduler != j.Scheduler {
		return
	}
	if j.RawID == "" && j.SLUID == pa.SLUID {
		s.set(&j.RawID, procmon.JobRawID, pa.RawID, pa.By[procmon.JobRawID])
	}
	if extends(pa.RawID, j.RawID) {
		j.RawID, j.By[procmon.JobRawID] = pa.RawID, pa.By[procmon.JobRawID]
	}
	if j.RawID != pa.RawID || j.SLUID != "" && pa.SLUID != "" && j.SLUID != pa.SLUID {
		return
	}
	s.set(&j.Cluster, procmon.JobCluster, pa.Cluster, pa.By[procmon.JobCluster])
	s.set(&j.Account, procmon.JobAccount, pa.Account, pa.By[procmon.JobAccount])
	s.set(&j.Partition, procmon.JobPartition, pa.Partition, pa.By[procmon.JobPartition])
	s.set(&j.Name, procmon.JobName, pa.Name, pa.By[procmon.JobName])
	if j.Step == "" {
		s.set(&j.Step, procmon.JobStep, pa.Step, pa.By[procmon.JobStep])
	}
	if j.Step == pa.Step {
		s.set(&j.Task, procmon.JobTask, pa.Task, pa.By[procmon.JobTask])
	}
	if j.By[procmon.JobUser] == procmon.EvidenceNone && pa.By[procmon.JobUser] != procmon.EvidenceNone {
		j.User, j.UID, j.By[procmon.JobUser] = pa.User, pa.UID, pa.By[procmon.JobUser]
	}
	if j.By[procmon.JobRestart] == procmon.EvidenceNone {
		j.Restart, j.By[procmon.JobRestart] = pa.Restart, pa.By[procmon.JobRestart]
	}
}

// name says the job's id as users do: 4_5 of an array, 9+1 of a heterogeneous
// job, otherwise the raw id.
func (s *search) name() {
	j, pa := &s.job, &s.parent
	by := j.By[procmon.JobRawID]
	sameParent := !pa.None() && pa.Scheduler == j.Scheduler && pa.RawID == j.RawID
	switch {
	case schedulers[s.claim.scheduler].parts != nil:
		s.nameParts(sameParent)
		return
	case j.ArrayTask != "" || j.HetOffset != "": // from facts
	case len(s.env.array) > 0:
		j.ArrayJob, j.ArrayTask = text(s.env.array, pa.ArrayJob), text(s.env.index, pa.ArrayTask)
		by = procmon.EvidenceEnviron
	case s.env.hetMember:
		j.HetJob, j.HetOffset = text(s.env.hetLeader, pa.HetJob), text(s.env.hetOffset, pa.HetOffset)
		by = procmon.EvidenceEnviron
	case j.HetJob != "" && j.HetJob == j.RawID:
		j.HetOffset = "0"
	case sameParent && (pa.ArrayTask != "" || pa.HetOffset != ""):
		j.ArrayJob, j.ArrayTask, j.HetJob, j.HetOffset = pa.ArrayJob, pa.ArrayTask, pa.HetJob, pa.HetOffset
		by = pa.By[procmon.JobID]
	case len(s.env.id) == 0:
		by = procmon.EvidenceNone // it may be of an array: prologs are not told (22.05)
	}
	j.ID, j.By[procmon.JobID] = s.compose(sameParent), by
}

// compose puts the id together, or takes the parent's copy of it.
func (s *search) compose(sameParent bool) string {
	j, pa := &s.job, &s.parent
	if sameParent && pa.ArrayJob == j.ArrayJob && pa.ArrayTask == j.ArrayTask && pa.HetJob == j.HetJob && pa.HetOffset == j.HetOffset {
		return pa.ID
	}
	switch {
	case j.ArrayJob != "" && j.ArrayTask != "":
		return j.ArrayJob + "_" + j.ArrayTask
	case j.HetJob != "" && j.HetOffset != "":
		return j.HetJob + "+" + j.HetOffset
	}
	return j.RawID
}

// nameParts takes id and array out of a raw id that tells them.
func (s *search) nameParts(sameParent bool) {
	j, pa := &s.job, &s.parent
	j.By[procmon.JobID] = j.By[procmon.JobRawID]
	if sameParent {
		j.ID, j.ArrayJob, j.ArrayTask = pa.ID, pa.ArrayJob, pa.ArrayTask
		return
	}
	j.ID, j.ArrayJob, j.ArrayTask = schedulers[s.claim.scheduler].parts(j.RawID)
}
