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

// summary writes one host's share of a job. Applications are left out from the
// end, those with the least CPU time, until the line fits.
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
	e.usage(&s.Usage, false)
	const tail = len(`,"applications_truncated":9223372036854775807}}`)
	told := 0
	m := w.open("applications", '[')
	for i := range s.Applications {
		mark := len(w.b)
		e.share(&s.Applications[i])
		if len(w.b)+tail+len("]") > e.max && (last || i > 0) {
			w.b = w.b[:mark]
			break
		}
		told++
	}
	w.close(m)
	if n := len(s.Applications) - told; n > 0 {
		w.int("applications_truncated", int64(n))
	}
	w.close(h)
	w.b = append(w.b, '}')
}

func (e *encoder) share(a *procmon.AppShare) {
	w := &e.w
	m := w.open("", '{')
	e.applicationName(&a.Application)
	w.uint("runs", a.Runs)
	w.uint("failed_runs", a.Failed)
	e.usage(&a.Usage, false)
	w.close(m)
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
