package syslog

import (
	"testing"
	"time"

	"procmon"
)

func TestGolden(t *testing.T) {
	run := func(change func(*procmon.Record)) procmon.Record {
		r := sampleRun()
		change(&r)
		return r
	}
	summary := procmon.Record{Host: "n1", Boot: "b", Time: epoch.Add(time.Minute), Summary: &procmon.JobSummary{
		Job: sampleJob(), CPUs: 16, GPUs: 2, Start: epoch.Add(-time.Hour), End: epoch, Runs: 12, Failed: 1,
		Usage: procmon.Usage{User: time.Hour, System: time.Minute, MaxRSS: 1 << 30, RSSBound: true, Read: 1, Write: 2},
		Applications: []procmon.AppShare{
			{Application: procmon.Application{Name: "GROMACS", Version: "2023.3", Kind: procmon.KindApplication, Package: "GROMACS/2023.3-foss-2023a"}, Runs: 2, Usage: procmon.Usage{User: time.Hour}},
			{Application: procmon.Application{Kind: procmon.KindUnknown}, Runs: 10, Failed: 1},
		},
		Exits:     []procmon.ExitShare{{Runs: 10}, {Exit: procmon.Exit{Code: 2}, Runs: 1}, {Exit: procmon.Exit{Signal: 9}, Runs: 1}},
		Surviving: 5, Survivors: []procmon.Survivor{{Run: procmon.RunID{Process: procmon.ProcessID{PID: 77, Start: 5}, Exec: 6}, Comm: "sleep", Exe: "/bin/sleep"}},
		CgroupCPU: time.Hour + 2*time.Minute, CgroupRead: epoch.Add(-time.Second),
	}}
	tests := []struct {
		name string
		r    procmon.Record
	}{
		{"whole", sampleRun()},
		{"start", run(func(r *procmon.Record) {
			r.Phase, r.Run.End, r.Run.Exit = procmon.Start, time.Time{}, nil
		})},
		{"checkpoint", run(func(r *procmon.Record) {
			r.Phase, r.Run.End, r.Run.Exit = procmon.Checkpoint, time.Time{}, nil
		})},
		{"end", run(func(r *procmon.Record) { r.Phase = procmon.End; r.Run.Exit = &procmon.Exit{Code: 3} })},
		{"signal", run(func(r *procmon.Record) { r.Run.Exit = &procmon.Exit{Signal: 9} })},
		{"replaced", run(func(r *procmon.Record) { r.Run.Exit = nil })},
		{"crash", run(func(r *procmon.Record) {
			r.Phase, r.Run.Exit, r.Run.Unknown, r.Run.Usage = procmon.End, nil, true, nil
		})},
		{"setuid", run(func(r *procmon.Record) {
			p := r.Run.Process
			p.EUID, p.Comm, p.Exe, p.ExeDeleted = 0, "passwd", "/usr/bin/passwd", true
			r.Run.Job, r.Run.Application, r.Run.Adopted = procmon.Job{}, procmon.Application{}, true
		})},
		{"bare", procmon.Record{Time: epoch, Run: &procmon.Run{Process: &procmon.Process{
			Run: procmon.RunID{Process: procmon.ProcessID{PID: 7}}, LoginUID: procmon.NoUID, Missing: 1<<7 - 1}}}},
		{"conflict", run(func(r *procmon.Record) {
			r.Run.Job.Conflict = "environ says 77777"
			r.Run.Job.HetJob, r.Run.Job.HetOffset, r.Run.Job.SLUID, r.Run.Job.Task = "8", "1", "s0123456789ABC", "0"
			r.Run.Application.Script, r.Run.Application.Image = "/home/alice/a.py", "/img/a.sif"
		})},
		{"marked", run(func(r *procmon.Record) {
			p := r.Run.Process
			p.SID, p.TTY, p.MountNS, p.PIDNS = 4650, 34819+1<<20, 4026531841, 4026531836
			r.Run.Usage.RSSBound, r.Run.Provisional = true, true
		})},
		{"usage not known", run(func(r *procmon.Record) {
			r.Run.Usage, r.Run.Provisional = &procmon.Usage{User: time.Second, RSSBound: true}, false
		})},
		{"ring", procmon.Record{Host: "n1", Time: epoch, Seq: 4, Loss: &procmon.Loss{Count: 2, CPU: 0,
			From: epoch.Add(-time.Second), To: epoch, Reason: procmon.LossRing, Where: "bpf"}}},
		{"loss", procmon.Record{Host: "n1", Time: epoch, Seq: 3, Loss: &procmon.Loss{Count: 5, CPU: 1,
			From: epoch.Add(-time.Second), To: epoch, Reason: procmon.LossBuffer, Where: "procconn"}}},
		{"gap", procmon.Record{Host: "n1", Time: epoch, Loss: &procmon.Loss{CPU: -1, Reason: procmon.LossStopped}}},
		{"job", summary},
		{"status", procmon.Record{Host: "n1", Boot: "b", Time: epoch, Status: &procmon.Status{
			Action: "hourly", Version: "2.0", Source: "procconn", Counts: map[string]uint64{"runs": 7, "lost": 0, `a"b`: 1}}}},
	}
	for _, schema := range []Schema{SchemaECS, SchemaClassic} {
		e := newEncoder(schema, 8000, schema == SchemaECS)
		var all []byte
		for _, tt := range tests {
			line := e.line(nil, &tt.r)
			if len(line) > 0 {
				decode(t, line)
			}
			all = append(append(append(append(all, tt.name...), ": "...), line...), '\n')
		}
		golden(t, string(schema)+".golden", all)
	}
}
