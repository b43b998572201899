package syslog

import (
	"time"

	"procmon"
)

// head begins a line: what every dataset has.
func (e *encoder) head(r *procmon.Record, dataset string) {
	w := &e.w
	w.b = append(w.b, '{')
	w.time("@timestamp", stamp(r))
	h := w.open("host", '{')
	w.str("name", e.hostName(r))
	b := w.open("boot", '{')
	w.str("id", r.Boot)
	w.close(b)
	w.close(h)
	v := w.open("ecs", '{')
	w.str("version", ecsVersion)
	w.close(v)
	w.open("event", '{')
	whole := writer{b: w.b, cap: 6 * maxID} // never cut: stores know the record by it
	whole.str("id", eventID(r))
	w.b = whole.b
	w.str("kind", "event")
	w.strs("category", "process")
	w.str("dataset", dataset)
}

// stamp is when what the record tells came about.
func stamp(r *procmon.Record) (t time.Time) {
	switch {
	case r.Run != nil && r.Phase == procmon.Start:
		t = r.Run.Start
	case r.Run != nil && r.Phase != procmon.Checkpoint:
		t = r.Run.End
	case r.Summary != nil:
		t = r.Summary.End
	}
	if t.IsZero() {
		return r.Time
	}
	return t
}

// run writes one run; args is where its arguments go.
func (e *encoder) run(r *procmon.Record) (args int) {
	w, run := &e.w, r.Run
	e.head(r, "procmon.run")
	switch r.Phase {
	case procmon.Start:
		w.strs("type", "start")
	case procmon.Checkpoint:
		w.strs("type", "info")
	case procmon.End:
		w.strs("type", "end")
	default:
		w.strs("type", "start", "end")
	}
	w.str("action", "exec")
	switch {
	case over(r.Phase):
		w.str("outcome", outcome(run))
		if !run.End.IsZero() {
			w.int("duration", int64(run.Elapsed()))
		}
	case r.Phase == procmon.Checkpoint:
		w.int("duration", int64(max(0, r.Time.Sub(run.Start))))
	}
	w.b = append(w.b, '}') // event
	e.user(run)
	h := w.open("hpc", '{')
	e.job(&run.Job, nil)
	e.application(&run.Application)
	if r.Phase != procmon.Start {
		e.usage(run.Usage, run.Provisional)
	}
	e.namespace(run.Process)
	w.yes("adopted", run.Adopted)
	w.yes("executable_deleted", run.Process.ExeDeleted)
	w.strs("missing", run.Process.Missing.Names()...)
	w.close(h)
	// Last, and the arguments last in it: some stores look at the first
	// kilobytes of a line only.
	args = e.process(r)
	w.b = append(w.b, '}')
	return args
}

// over says whether a phase tells the end of a run.
func over(p procmon.Phase) bool { return p == procmon.Whole || p == procmon.End }

// outcome is event.outcome, empty when there is none: a run that another
// execve replaced neither succeeded nor failed.
func outcome(run *procmon.Run) string {
	switch {
	case run.Unknown:
		return "unknown"
	case run.Exit == nil:
		return ""
	case run.Exit.Code == 0 && run.Exit.Signal == 0:
		return "success"
	}
	return "failure"
}

// process writes the process and its parent.
func (e *encoder) process(r *procmon.Record) (args int) {
	w, run, p := &e.w, r.Run, r.Run.Process
	m := w.open("process", '{')
	w.int("pid", int64(p.Run.Process.PID))
	w.str("entity_id", procmon.EntityID(r.Boot, p.Run))
	w.str("executable", p.Exe)
	w.str("name", processName(p.Comm, p.Exe))
	w.str("working_directory", p.Cwd)
	w.time("start", run.Start)
	if over(r.Phase) {
		w.time("end", run.End)
		if run.Exit != nil {
			e.exit(*run.Exit)
		}
	}
	par := w.open("parent", '{')
	if p.PPID != 0 {
		w.int("pid", int64(p.PPID))
	}
	if run.Parent != (procmon.RunID{}) {
		w.str("entity_id", procmon.EntityID(r.Boot, run.Parent))
	}
	if since, ok := run.SinceParent(); ok { // in whole µs from the start that is told
		w.time("start", run.Start.Truncate(time.Microsecond).Add(-since.Truncate(time.Microsecond)))
	}
	if len(p.Ancestors) > 0 && p.Ancestors[0].ID.PID == p.PPID {
		a := &p.Ancestors[0]
		w.str("name", processName(a.Comm, a.Exe))
		w.str("executable", a.Exe)
	}
	w.close(par)
	e.session(p)
	if p.ArgsCount > 0 {
		w.int("args_count", int64(p.ArgsCount))
	}
	args = len(w.b)
	w.close(m)
	return args
}

// exit writes how a run ended.
func (e *encoder) exit(x procmon.Exit) {
	if x.Signal != 0 {
		e.w.int("exit_signal", int64(x.Signal))
		return
	}
	e.w.int("exit_code", int64(x.Code))
}

// session writes the session that a process is in, and its terminal: a device
// number as the kernel gives it to user space (new_encode_dev).
func (e *encoder) session(p *procmon.Process) {
	w := &e.w
	leader := w.open("session_leader", '{')
	if p.SID != 0 {
		w.int("pid", int64(p.SID))
	}
	w.close(leader)
	if p.TTY == 0 {
		return
	}
	n := uint32(p.TTY)
	tty := w.open("tty", '{')
	device := w.open("char_device", '{')
	w.uint("major", uint64(n>>8&0xfff))
	w.uint("minor", uint64(n&0xff|n>>12&0xfff00))
	w.close(device)
	w.close(tty)
}

// namespace writes the inodes of the namespaces that say what a process's path
// and pid mean to itself.
func (e *encoder) namespace(p *procmon.Process) {
	w := &e.w
	m := w.open("namespace", '{')
	if p.MountNS != 0 {
		w.uint("mount", p.MountNS)
	}
	if p.PIDNS != 0 {
		w.uint("pid", p.PIDNS)
	}
	w.close(m)
}

func (e *encoder) user(run *procmon.Run) {
	w := &e.w
	m := w.open("user", '{')
	if id, ok := realUID(run.Process); ok {
		w.id("id", id)
	}
	w.str("name", run.UserName)
	eff := w.open("effective", '{')
	if id, ok := effectiveUID(run.Process); ok {
		w.id("id", id)
	}
	w.close(eff)
	audit := w.open("audit", '{')
	if id := run.Process.LoginUID; id != procmon.NoUID {
		w.id("id", id)
	}
	w.close(audit)
	w.close(m)
}
