package syslog

import (
	"maps"
	"slices"
	"strconv"

	"procmon"
)

// job writes hpc.job; s is the summary that it belongs to, or nil.
func (e *encoder) job(j *procmon.Job, s *procmon.JobSummary) {
	if j.None() {
		return
	}
	w := &e.w
	m := w.open("job", '{')
	w.str("scheduler", j.Scheduler)
	w.str("cluster", j.Cluster)
	w.str("id", j.ID)
	w.str("raw_id", j.RawID)
	w.str("sluid", j.SLUID)
	w.str("array_job_id", j.ArrayJob)
	w.str("array_task_id", j.ArrayTask)
	w.str("het_job_id", j.HetJob)
	w.str("het_job_offset", j.HetOffset)
	w.str("step_id", j.Step)
	w.str("task_id", j.Task)
	w.str("user", j.User)
	if j.By[procmon.JobUser] != procmon.EvidenceNone && j.UID != procmon.NoUID {
		w.id("user_id", j.UID)
	}
	w.str("account", j.Account)
	w.str("partition", j.Partition)
	w.str("name", j.Name)
	if j.Restart > 0 || j.By[procmon.JobRestart] != procmon.EvidenceNone {
		w.int("restart", int64(j.Restart))
	}
	w.str("evidence", j.Evidence.String())
	w.strs("unproved", j.Unproved()...)
	w.str("conflict", j.Conflict)
	if s != nil {
		e.allocation(s)
	}
	w.close(m)
}

func (e *encoder) allocation(s *procmon.JobSummary) {
	w := &e.w
	w.time("start", s.Start)
	w.time("end", s.End)
	if s.CPUs > 0 {
		w.int("cpus", int64(s.CPUs))
	}
	if s.GPUs > 0 {
		w.int("gpus", int64(s.GPUs))
	}
	if !s.CgroupRead.IsZero() {
		w.int("cgroup_cpu_ns", int64(s.CgroupCPU))
		w.time("cgroup_cpu_until", s.CgroupRead)
	}
}

// application writes hpc.application, or nothing when nobody looked.
func (e *encoder) application(a *procmon.Application) {
	w := &e.w
	m := w.open("application", '{')
	e.applicationName(a)
	w.str("evidence", a.Evidence)
	w.str("script", a.Script)
	w.str("image", a.Image)
	w.str("rules", a.Rules)
	w.close(m)
}

func (e *encoder) applicationName(a *procmon.Application) {
	w := &e.w
	w.str("name", a.Name)
	w.str("version", a.Version)
	w.str("kind", string(a.Kind))
	w.str("package", a.Package)
}

// usage writes hpc.usage. A process without memory is none, so 0 bytes of RSS
// mean that it is not known.
func (e *encoder) usage(u *procmon.Usage, provisional bool) {
	if u == nil {
		return
	}
	w := &e.w
	m := w.open("usage", '{')
	w.int("user_cpu_ns", int64(u.User))
	w.int("system_cpu_ns", int64(u.System))
	if u.MaxRSS > 0 {
		w.uint("max_rss_bytes", u.MaxRSS)
		w.yes("max_rss_upper_bound", u.RSSBound)
	}
	w.uint("read_bytes", u.Read)
	w.uint("write_bytes", u.Write)
	w.yes("provisional", provisional)
	w.close(m)
}

// summaryTail is what may follow the lists of a summary.
const summaryTail = len(`,"applications_truncated":9223372036854775807}}`)

// summary writes one host's share of a job. Its lists lose what is at their
// end, of applications those with the least CPU time, until the line fits.
func (e *encoder) summary(r *procmon.Record, last bool) {
	w, s := &e.w, r.Summary
	e.head(r, "procmon.job")
	w.strs("type", "info")
	w.str("action", "job-end")
	w.b = append(w.b, '}') // event
	h := w.open("hpc", '{')
	e.job(&s.Job, s)
	w.uint("runs", s.Runs)
	w.uint("failed_runs", s.Failed)
	if s.Surviving > 0 {
		w.uint("surviving_runs", s.Surviving)
	}
	e.usage(&s.Usage, false)
	e.list("exits", min(len(s.Exits), procmon.MaxExits), last, func(i int) {
		e.exit(s.Exits[i].Exit)
		w.uint("runs", s.Exits[i].Runs)
	})
	e.list("survivors", min(len(s.Survivors), procmon.MaxSurvivors), last, func(i int) {
		e.survivor(r.Boot, &s.Survivors[i])
	})
	told := e.list("applications", len(s.Applications), last, func(i int) {
		e.share(&s.Applications[i])
	})
	if n := len(s.Applications) - told; n > 0 {
		w.int("applications_truncated", int64(n))
	}
	w.close(h)
	w.b = append(w.b, '}')
}

// list writes an array of n objects, as many of them as fit, and says how many.
// Unless this is the last try, one of them must: shorter strings make room.
func (e *encoder) list(name string, n int, last bool, members func(i int)) (told int) {
	w := &e.w
	list := w.open(name, '[')
	for ; told < n; told++ {
		mark := w.open("", '{')
		members(told)
		w.close(mark)
		if len(w.b)+summaryTail+len("]") > e.max && (last || told > 0) {
			w.b = w.b[:mark]
			break
		}
	}
	w.close(list)
	return told
}

// survivor writes a run that outlived its job, as its own lines name it.
func (e *encoder) survivor(boot string, s *procmon.Survivor) {
	w := &e.w
	w.int("pid", int64(s.Run.Process.PID))
	w.str("entity_id", procmon.EntityID(boot, s.Run))
	w.str("name", processName(s.Comm, s.Exe))
}

func (e *encoder) share(a *procmon.AppShare) {
	w := &e.w
	e.applicationName(&a.Application)
	w.uint("runs", a.Runs)
	w.uint("failed_runs", a.Failed)
	e.usage(&a.Usage, false)
}

// loss writes what was not seen.
func (e *encoder) loss(r *procmon.Record) {
	w, l := &e.w, r.Loss
	e.head(r, "procmon.loss")
	w.strs("type", "info")
	w.str("action", "loss")
	w.time("start", l.From)
	w.time("end", l.To)
	w.b = append(w.b, '}') // event
	h := w.open("hpc", '{')
	m := w.open("loss", '{')
	if l.Count > 0 {
		w.uint("count", l.Count)
	}
	if l.CPU >= 0 {
		w.int("cpu", int64(l.CPU))
	}
	w.str("reason", l.Reason)
	w.str("where", l.Where)
	w.close(m)
	w.close(h)
	w.b = append(w.b, '}')
}

// status writes the daemon's word of itself.
func (e *encoder) status(r *procmon.Record) {
	w, s := &e.w, r.Status
	e.head(r, "procmon.status")
	w.strs("type", "info")
	w.str("action", s.Action)
	w.b = append(w.b, '}') // event
	h := w.open("hpc", '{')
	m := w.open("status", '{')
	w.str("version", s.Version)
	w.str("source", s.Source)
	c := w.open("counts", '{')
	for _, name := range slices.Sorted(maps.Keys(s.Counts)) {
		mark := len(w.b)
		w.key("")
		w.value(name)
		w.b = strconv.AppendUint(append(w.b, ':'), s.Counts[name], 10)
		if len(w.b)+len("}}}}") > e.max {
			w.b = w.b[:mark]
			break
		}
	}
	w.close(c)
	w.close(m)
	w.close(h)
	w.b = append(w.b, '}')
}
