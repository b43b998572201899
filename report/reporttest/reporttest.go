// Package reporttest makes small indexes with known runs, for the tests of
// reports and of the program that shows them. It fails the test on any error
// and is imported by tests only.
package reporttest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon"
	"procmon/index"
)

// Boot is the boot id of all records.
const Boot = "6f6c0f55-0d6b-4a51-9a60-4f1d9bd5e7a0"

// Now is when reports on the fixture are asked for.
var Now = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

// Write makes an index with the records and gives its path. The writer is
// closed: readers see what a stopped daemon leaves.
func Write(t testing.TB, host string, records ...procmon.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "procmon.db")
	Append(t, path, host, records...)
	return path
}

// Append writes records of a host into an index, which is made if missing.
func Append(t testing.TB, path, host string, records ...procmon.Record) {
	t.Helper()
	w, err := index.Open(t.Context(), index.Options{Path: path, Host: host, Boot: Boot, Now: func() time.Time { return Now }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if records[i].Host == "" {
			records[i].Host = host
		}
		records[i].Boot = Boot
	}
	if err := w.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// Account imports what accounting says of jobs into an index.
func Account(t testing.TB, path string, jobs ...procmon.Accounted) {
	t.Helper()
	i, err := index.OpenImporter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	done, err := i.Import(t.Context(), jobs)
	if err != nil || len(done.Refused) > 0 {
		t.Fatal(err, done.Refused)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
}

// Accounted is a job of alice's as accounting tells it: it had its CPUs and GPUs all the time.
func Accounted(id string, start time.Time, elapsed time.Duration, cpus, gpus int) procmon.Accounted {
	j := procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: id, RawID: id, User: "alice", UID: 1001, Account: "chem", Partition: "main"}
	for f := range j.By {
		j.By[f] = procmon.EvidenceAccounting
	}
	return procmon.Accounted{Job: j, Allocation: procmon.Allocation{
		State: "COMPLETED", Over: true, Exit: &procmon.Exit{}, CPUs: cpus, GPUs: gpus, Nodes: 1,
		Submit: start, Start: start, End: start.Add(elapsed), Elapsed: elapsed,
	}}
}

// Run is a run in few words. Zero fields are not known.
type Run struct {
	At          time.Time
	PID, PPID   int32
	Parent      time.Time // start of the parent's run
	User        string
	UID         uint32
	Job         procmon.Job
	Application procmon.Application
	Exe         string
	Args        []string
	Elapsed     time.Duration
	CPU         time.Duration
	RSS         uint64
	Bound       bool // RSS is an upper bound
	Read, Write uint64
	Exit        procmon.Exit
	Open        bool // it goes on
}

// Record is the run's record at its end, or at its start if it goes on.
func (r Run) Record() procmon.Record {
	boot := Now.AddDate(0, -3, 0)
	since := func(t time.Time) procmon.BootNS { return procmon.BootNS(t.Sub(boot)) }
	p := &procmon.Process{
		Run:  procmon.RunID{Process: procmon.ProcessID{PID: r.PID, Start: since(r.At).Ticks()}, Exec: since(r.At)},
		Boot: Boot, Time: r.At, PPID: r.PPID, UID: r.UID, EUID: r.UID, GID: r.UID, LoginUID: procmon.NoUID,
		Exe: r.Exe, Args: []byte(strings.Join(r.Args, "\x00") + "\x00"), ArgsCount: len(r.Args),
	}
	p.ArgsBytes = len(p.Args)
	if r.Job.By[procmon.JobUser] > 0 {
		r.Job.UID = r.UID
	}
	run := &procmon.Run{Process: p, UserName: r.User, Job: r.Job, Application: r.Application, Start: r.At}
	if !r.Parent.IsZero() {
		run.Parent = procmon.RunID{Process: procmon.ProcessID{PID: r.PPID, Start: since(r.Parent).Ticks()}, Exec: since(r.Parent)}
	}
	if run.Application.Kind == "" {
		run.Application.Kind = procmon.KindUnknown
	}
	if r.Open {
		return procmon.Record{Time: r.At, Phase: procmon.Start, Run: run}
	}
	run.End = r.At.Add(r.Elapsed)
	exit := r.Exit
	run.Exit = &exit
	run.Usage = &procmon.Usage{User: r.CPU - r.CPU/10, System: r.CPU / 10, MaxRSS: r.RSS, RSSBound: r.Bound, Read: r.Read, Write: r.Write}
	return procmon.Record{Time: run.End, Phase: procmon.Whole, Run: run}
}

// SlurmJob is a job whose facts are proved.
func SlurmJob(id, raw, step, user, account string) procmon.Job {
	j := procmon.Job{
		Scheduler: "slurm", Cluster: "c1", ID: id, RawID: raw, Step: step, User: user, Account: account,
		Partition: "main", Name: "md", Evidence: procmon.EvidenceCgroup,
	}
	for f := range j.By {
		j.By[f] = procmon.EvidenceFacts
	}
	return j
}
