package jsonlines

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"procmon"
)

// run makes a run of a line of procmon.run.
func (l *line) run() (phase procmon.Phase, run *procmon.Run, err error) {
	if phase, err = l.phase(); err != nil {
		return phase, nil, err
	}
	p := &l.Process
	switch {
	case p.PID <= 0:
		return phase, nil, errors.New("no process.pid, or one that can't be")
	case !saneTime(p.Start):
		return phase, nil, errors.New("no process.start, or one that can't be")
	}
	run = &procmon.Run{
		Process: l.process(), UserName: l.User.Name, Job: l.HPC.Job.job(), Application: l.HPC.Application.application(),
		Start: p.Start, Adopted: l.HPC.Adopted, Unknown: l.Event.Outcome == "unknown",
		Provisional: l.HPC.Usage != nil && l.HPC.Usage.Provisional,
	}
	if p.Parent.PID > 0 && saneTime(p.Parent.Start) {
		run.Parent = runID(p.Parent.PID, p.Parent.Start)
	}
	if run.Usage, err = l.HPC.Usage.usage(); err != nil {
		return phase, nil, err
	}
	if phase == procmon.Whole || phase == procmon.End {
		if saneTime(p.End) {
			run.End = p.End
		}
		run.Exit = p.exit()
	}
	return phase, run, nil
}

// runID names a run by the wall clock: only differences of BootNS count.
func runID(pid int32, start time.Time) procmon.RunID {
	return procmon.RunID{Process: procmon.ProcessID{PID: pid}, Exec: procmon.BootNS(start.UnixNano())}
}

func (p *process) exit() *procmon.Exit {
	switch {
	case p.ExitSignal != 0:
		return &procmon.Exit{Signal: int(p.ExitSignal & 0x7f)}
	case p.ExitCode != nil:
		return &procmon.Exit{Code: int(*p.ExitCode)}
	}
	return nil
}

// process is what a line tells of the process. Ids that it doesn't tell were
// not read; the effective one then is the real one.
func (l *line) process() *procmon.Process {
	p := &l.Process
	to := &procmon.Process{
		Run: runID(p.PID, p.Start), Boot: l.Host.Boot.ID, Time: p.Start, PPID: max(0, p.Parent.PID),
		UID: orNone(l.User.ID), EUID: orNone(cmp.Or(l.User.Effective.ID, l.User.ID)), LoginUID: orNone(l.User.Audit.ID),
		Comm: p.Name, Exe: p.Executable, ExeDeleted: l.HPC.Deleted, Cwd: p.Directory, ArgsCount: int(p.ArgsCount),
		Missing: missing(l.HPC.Missing),
	}
	for _, a := range p.Args {
		to.Args = append(append(to.Args, a...), 0)
	}
	to.ArgsBytes = len(to.Args) + int(p.ArgsTruncated)
	return to
}

func orNone(id *uint32) uint32 {
	if id == nil {
		return procmon.NoUID
	}
	return *id
}

// missing is the inverse of procmon.Missing.Names.
func missing(names []string) (m procmon.Missing) {
	if len(names) == 0 {
		return 0
	}
	for i, name := range procmon.MissingAll.Names() {
		if slices.Contains(names, name) {
			m |= 1 << i
		}
	}
	return m
}

// application is the inverse of what is written: nothing is an application
// that nobody looked for.
func (a *application) application() procmon.Application {
	return procmon.Application{Name: a.Name, Version: a.Version, Kind: procmon.AppKind(a.Kind), Package: a.Package,
		Evidence: a.Evidence, Script: a.Script, Image: a.Image, Rules: a.Rules}
}

// job makes a job with the evidence of each field, as far as a line tells it:
// by the environment alone, or by better.
func (j *job) job() procmon.Job {
	if j == nil {
		return procmon.Job{}
	}
	to := procmon.Job{
		Scheduler: j.Scheduler, Cluster: j.Cluster, ID: j.ID, RawID: j.RawID, SLUID: j.SLUID, ArrayJob: j.ArrayJob, ArrayTask: j.ArrayTask,
		HetJob: j.HetJob, HetOffset: j.HetOffset, Step: j.Step, Task: j.Task, User: j.User, UID: orNone(j.UserID), Account: j.Account,
		Partition: j.Partition, Name: j.Name, Evidence: procmon.ParseEvidence(j.Evidence),
	}
	if j.Restart != nil {
		to.Restart = int(*j.Restart)
	}
	proof := max(to.Evidence, procmon.EvidenceParent)
	for f, told := range [...]bool{
		procmon.JobID: j.ID != "", procmon.JobRawID: j.RawID != "", procmon.JobCluster: j.Cluster != "", procmon.JobStep: j.Step != "",
		procmon.JobTask: j.Task != "", procmon.JobUser: j.User != "" || j.UserID != nil, procmon.JobAccount: j.Account != "",
		procmon.JobPartition: j.Partition != "", procmon.JobName: j.Name != "", procmon.JobRestart: j.Restart != nil,
	} {
		switch {
		case !told:
		case slices.Contains(j.Unproved, procmon.JobField(f).String()):
			to.By[f] = procmon.EvidenceEnviron
		default:
			to.By[f] = proof
		}
	}
	if to.By[procmon.JobUser] == procmon.EvidenceNone {
		to.UID = 0
	}
	return to
}
