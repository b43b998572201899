package syslog

import "procmon"

// classic writes the flat line of procmon 1: timestamp, node, pid, name, ppid,
// uid and cmdline, and beside them the job and the application. There is one
// line a run, told at its start, as searches made for procmon 1 count them;
// so ends, checkpoints, job summaries and the daemon's status have none.
func (e *encoder) classic(r *procmon.Record) (args int, ok bool) {
	switch {
	case r.Run != nil && r.Run.Process != nil && (r.Phase == procmon.Whole || r.Phase == procmon.Start):
		return e.classicRun(r), true
	case r.Loss != nil:
		e.classicLoss(r)
		return 0, true
	}
	return 0, false
}

func (e *encoder) classicRun(r *procmon.Record) (args int) {
	w, run, p := &e.w, r.Run, r.Run.Process
	w.b = append(w.b, '{')
	w.time("timestamp", run.Start)
	w.str("node", e.hostName(r))
	w.int("pid", int64(p.Run.Process.PID))
	w.str("name", processName(p.Comm, p.Exe))
	if p.PPID != 0 {
		w.int("ppid", int64(p.PPID))
	}
	if id, ok := realUID(p); ok {
		w.int("uid", int64(id))
	}
	args = len(w.b)
	w.str("job", run.Job.ID)
	w.str("application", run.Application.Name)
	w.str("version", run.Application.Version)
	w.str("id", eventID(r))
	w.b = append(w.b, '}')
	return args
}

func (e *encoder) classicLoss(r *procmon.Record) {
	w, l := &e.w, r.Loss
	w.b = append(w.b, '{')
	w.time("timestamp", r.Time)
	w.str("node", e.hostName(r))
	w.str("loss", l.Reason)
	if l.Count > 0 {
		w.uint("count", l.Count)
	}
	w.time("from", l.From)
	w.time("to", l.To)
	w.str("id", eventID(r))
	w.b = append(w.b, '}')
}
