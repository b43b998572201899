package jobmap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// site is a registry over a directory of its own, with a clock of its own.
type site struct {
	*Registry
	t    *testing.T
	time time.Time
	log  bytes.Buffer
}

var epoch = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, time: epoch}
	proc := t.TempDir()
	write(t, filepath.Join(proc, "uptime"), "1000.00 1900.00\n")
	if err := os.MkdirAll(filepath.Join(proc, "sys/kernel/random"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(proc, "sys/kernel/random/boot_id"), "boot1\n")
	s.open(filepath.Join(t.TempDir(), "jobs"), proc)
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// open makes a registry anew, as a restart of the daemon does.
func (s *site) open(dir, proc string) {
	s.Registry = newRegistry(dir)
	s.proc, s.owner = proc, uint32(os.Getuid())
	s.now = func() time.Time { return s.time }
	s.Log = slog.New(slog.NewTextHandler(&s.log, nil))
}

// find is what the facts say of a job now.
func (s *site) find(scheduler, rawID, sluid string) *facts {
	return s.Registry.find(new(procmon.Process), scheduler, rawID, sluid)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// hook does what a prolog or epilog does.
func (s *site) hook(kind, id string, fields ...string) {
	s.t.Helper()
	write(s.t, filepath.Join(s.dir, "slurm-"+id), line(kind, append([]string{"SCHEDULER=slurm", "ID=" + id, "UID=1001", "USER=alice", "NODE=n1", "CPUS_PER_NODE=2", "BOOT=boot1"}, fields...)...))
}

// refreshed is a Refresh two seconds later.
func (s *site) refreshed() {
	s.t.Helper()
	s.time = s.time.Add(2 * time.Second)
	if err := s.Refresh(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) endedIDs() string {
	s.t.Helper()
	ended, err := s.Ended(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, sum := range ended {
		ids = append(ids, sum.Job.RawID+"."+strconv.Itoa(sum.Job.Restart))
	}
	return strings.Join(ids, " ")
}

func (s *site) wantEnded(want string) {
	s.t.Helper()
	if got := s.endedIDs(); got != want {
		s.t.Errorf("ended %q, want %q", got, want)
	}
}

func TestRegistryFindsAtOnce(t *testing.T) {
	s := newSite(t)
	s.refreshed()
	if f := s.find("slurm", "5", ""); f != nil {
		t.Fatalf("facts %+v of a job without a file", f)
	}
	s.hook("begin", "5")
	if f := s.find("slurm", "5", ""); f != nil {
		t.Error("a negative answer was not remembered")
	}
	s.hook("begin", "6")
	if f := s.find("slurm", "6", ""); f == nil || f.user != "alice" {
		t.Errorf("facts of a new job %+v, want alice's", f)
	}
	s.refreshed()
	if f := s.find("slurm", "5", ""); f == nil {
		t.Error("no facts after Refresh")
	}
}

func TestRegistryFindsSLUID(t *testing.T) {
	s := newSite(t)
	s.refreshed()
	const sluid = "sE7DM8148RYY01"
	s.hook("begin", "7", "SLUID="+sluid)
	s.time = s.time.Add(time.Second)
	if f := s.find("slurm", "", sluid); f == nil || f.id != "7" {
		t.Fatalf("facts by SLUID %+v, want job 7's", f)
	}
	s.hook("end", "7", "SLUID="+sluid)
	s.refreshed()
	if err := s.Done(procmon.JobKey{RawID: "7"}); err != nil {
		t.Fatal(err)
	}
	s.open(s.dir, s.proc)
	s.refreshed()
	if f := s.find("slurm", "", sluid); f == nil || f.id != "7" || !f.done {
		t.Errorf("facts of a survivor after a restart %+v, want job 7's", f)
	}
}

func TestRegistryEnded(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5", "UPTIME=900.00", "CLUSTER=c1", "ACCOUNT=a", "PARTITION=p", "GPUS=0,1", "HET_JOB=5")
	s.hook("begin", "6", "UPTIME=910.00")
	s.refreshed()
	s.wantEnded("")
	s.hook("end", "5", "UPTIME=960.50")
	s.refreshed()
	ended, err := s.Ended(context.Background())
	if err != nil || len(ended) != 1 {
		t.Fatalf("ended %+v, %v; want one", ended, err)
	}
	const told = procmon.EvidenceFacts
	want := procmon.JobSummary{
		Job:  procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: "5+0", RawID: "5", HetJob: "5", HetOffset: "0", User: "alice", UID: 1001, Account: "a", Partition: "p", Evidence: told},
		CPUs: 2, GPUs: 2, Start: s.time.Add(-100 * time.Second), End: s.time.Add(-39500 * time.Millisecond),
	}
	for _, f := range []procmon.JobField{procmon.JobID, procmon.JobRawID, procmon.JobCluster, procmon.JobUser, procmon.JobAccount, procmon.JobPartition, procmon.JobRestart} {
		want.Job.By[f] = told
	}
	if d := cmp.Diff(want, ended[0]); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	key := ended[0].Job.Key()
	if err := s.Done(key); err != nil {
		t.Fatal(err)
	}
	s.wantEnded("")
	if err := s.Done(procmon.JobKey{RawID: "6"}); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("Done of a running job: %v, want ErrUnknownJob", err)
	}
	if f := s.find("slurm", "5", ""); f == nil || f.user != "alice" {
		t.Errorf("facts of a tombstone %+v, want alice's", f)
	}
	s.open(s.dir, s.proc)
	s.refreshed()
	s.wantEnded("")
	if f := s.find("slurm", "5", ""); f == nil || !f.done {
		t.Errorf("facts of a tombstone after a restart %+v", f)
	}
}

func TestRegistryKeysLikeTheMapper(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5", "CLUSTER=told")
	s.hook("end", "5", "CLUSTER=told")
	m := New(Config{Cluster: "site", Facts: s.Registry})
	s.refreshed()
	ended, _ := s.Ended(context.Background())
	job := m.Job(&procmon.Process{UID: 1001, Cgroups: v1Cgroups("5")}, procmon.Job{})
	if len(ended) != 1 || ended[0].Job.Key() != job.Key() {
		t.Fatalf("summary's key %+v, the runs' %+v", ended, job.Key())
	}
	if err := s.Done(job.Key()); err != nil {
		t.Error(err)
	}
}

// Processes are of the life in which they began, whenever they are looked at.
func TestRegistryLateLook(t *testing.T) {
	s := newSite(t)
	m := New(Config{Facts: s.Registry})
	at := func(seconds float64) *procmon.Process {
		ns := procmon.BootNS(seconds * 1e9)
		return &procmon.Process{
			Run: procmon.RunID{Exec: ns}, Boot: "boot1", Time: epoch.Add(time.Duration(ns) - 1000*time.Second),
			UID: 1001, Cgroups: v1Cgroups("5"),
		}
	}
	hook := func(kind string, uptime, restart string) {
		s.hook(kind, "5", "UPTIME="+uptime, "BOOT=boot1", "RESTART="+restart)
	}
	look := func(p *procmon.Process, restart int, conflict string) {
		t.Helper()
		if j := m.Job(p, procmon.Job{}); j.RawID != "5" || j.Restart != restart || j.Conflict != conflict {
			t.Errorf("job %s restart %d, conflict %q; want 5, %d, %q", j.RawID, j.Restart, j.Conflict, restart, conflict)
		}
	}
	hook("begin", "1000.00", "0")
	hook("end", "1000.10", "0")
	s.time = epoch.Add(200 * time.Millisecond)
	look(at(1000.05), 0, "")
	look(at(1000.15), 0, "facts say it has ended")
	// No Refresh sees the next life begin.
	hook("begin", "1002.00", "1")
	s.time = epoch.Add(3 * time.Second)
	look(at(1002.01), 1, "")
	look(at(1000.05), 0, "")
	hook("end", "1004.00", "1")
	s.time = epoch.Add(5 * time.Second)
	s.refreshed()
	look(at(1003.99), 1, "")
	look(at(1004.02), 1, "facts say it has ended")
	look(at(1000.05), 0, "")
}

func TestRegistryRequeue(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.hook("end", "5")
	s.refreshed()
	s.hook("begin", "5", "RESTART=1")
	s.refreshed()
	if f := s.find("slurm", "5", ""); f == nil || f.restart != 1 {
		t.Fatalf("facts %+v, want those of restart 1", f)
	}
	s.wantEnded("5.0")
	if err := s.Done(procmon.JobKey{RawID: "5"}); err != nil {
		t.Fatal(err)
	}
	s.wantEnded("")
	s.open(s.dir, s.proc)
	s.refreshed()
	s.wantEnded("")
	s.hook("end", "5", "RESTART=1")
	s.refreshed()
	s.wantEnded("5.1")
	if err := s.Done(procmon.JobKey{RawID: "5", Restart: 1}); err != nil {
		t.Fatal(err)
	}
	s.hook("begin", "5", "RESTART=2") // after the file became a tombstone
	s.refreshed()
	if f := s.find("slurm", "5", ""); f == nil || f.restart != 2 {
		t.Errorf("facts %+v, want those of restart 2", f)
	}
}

func TestRegistrySeesRequeueBeforeRefresh(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.hook("end", "5")
	s.refreshed()
	if err := s.Done(procmon.JobKey{RawID: "5"}); err != nil {
		t.Fatal(err)
	}
	s.refreshed()
	s.hook("begin", "5", "RESTART=1")
	if f := s.find("slurm", "5", ""); f == nil || f.restart != 1 {
		t.Errorf("facts %+v, want those of restart 1 at once", f)
	}
}

func TestRegistryEndTwice(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.hook("end", "5")
	s.refreshed()
	if err := s.Done(procmon.JobKey{RawID: "5"}); err != nil {
		t.Fatal(err)
	}
	s.hook("end", "5")
	s.refreshed()
	s.wantEnded("")
	if _, err := os.Stat(filepath.Join(s.dir, "slurm-5")); err == nil {
		t.Error("the second end's file stays for ever")
	}
	s.hook("end", "5", "RESTART=1") // its prolog found no room
	s.refreshed()
	s.wantEnded("5.1")
}

func TestRegistryBuryIsSafe(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.hook("end", "5")
	s.refreshed()
	f, err := s.load(fileKey{"slurm", "5"})
	if err != nil {
		t.Fatal(err)
	}
	s.hook("begin", "5", "RESTART=1") // between the read and the move
	if err := s.entomb(fileKey{"slurm", "5"}, f); err != nil {
		t.Fatal(err)
	}
	s.refreshed()
	if f := s.find("slurm", "5", ""); f == nil || f.restart != 1 || f.done {
		t.Errorf("facts %+v, want those of restart 1", f)
	}
}

func TestRegistryForgets(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.hook("end", "5")
	s.refreshed()
	if err := s.Done(procmon.JobKey{RawID: "5"}); err != nil {
		t.Fatal(err)
	}
	tomb := filepath.Join(s.dir, tombstones, "slurm-5")
	s.time = time.Now().Add(23 * time.Hour)
	s.refreshed()
	if _, err := os.Stat(tomb); err != nil {
		t.Errorf("tombstone gone within a day: %v", err)
	}
	s.time = time.Now().Add(25 * time.Hour)
	s.refreshed()
	if _, err := os.Stat(tomb); err == nil {
		t.Error("tombstone still there after a day")
	}
	if f := s.find("slurm", "5", ""); f != nil {
		t.Errorf("facts after a day: %+v", f)
	}

	s.hook("begin", "6")
	s.refreshed()
	s.time = time.Now().Add(staleAge + time.Hour)
	s.refreshed()
	s.refreshed()
	if _, err := os.Stat(filepath.Join(s.dir, "slurm-6")); err == nil {
		t.Error("a job that nothing ended is kept for ever")
	}
}

func TestRegistryRefuses(t *testing.T) {
	facts := line("begin", "SCHEDULER=slurm", "ID=5", "UID=1001")
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"written by others", func(t *testing.T, path string) {
			write(t, path, facts)
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
		}},
		{"link", func(t *testing.T, path string) {
			write(t, path+".target", facts)
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		{"another user's", func(t *testing.T, path string) {
			write(t, path, facts)
			if err := os.Chown(path, 1001, -1); err != nil {
				t.Skipf("only root can give a file away: %v", err)
			}
		}},
		{"of another job", func(t *testing.T, path string) { write(t, path, strings.Replace(facts, "ID=5", "ID=6", 1)) }},
		{"too much before it", func(t *testing.T, path string) { write(t, path, facts+strings.Repeat("x", maxFile)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			tt.make(t, filepath.Join(s.dir, "slurm-5"))
			if f := s.find("slurm", "5", ""); f != nil {
				t.Errorf("look-up took %+v", f)
			}
			s.refreshed()
			if f := s.find("slurm", "5", ""); f != nil {
				t.Errorf("Refresh took %+v", f)
			}
		})
	}
}

func TestRegistryRefusesOwner(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.owner++
	if err := s.Refresh(context.Background()); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "chown root") {
		t.Errorf("Refresh of a directory of another user's: %v, want ErrUnsafe and the fix", err)
	}
	if f := s.find("slurm", "5", ""); f != nil {
		t.Errorf("facts from it: %+v", f)
	}
}

func TestOpenRegistry(t *testing.T) {
	dir := t.TempDir()
	if r, err := OpenRegistry(filepath.Join(dir, "later")); err != nil || r == nil {
		t.Errorf("a directory that does not exist yet: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRegistry(dir); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a directory that all can write to: %v, want ErrUnsafe", err)
	}
	file := filepath.Join(dir, "file")
	write(t, file, "")
	if _, err := OpenRegistry(file); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("a file: %v, want ErrUnsafe", err)
	}
}

func TestRegistryDirectoryRemoved(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	s.refreshed()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	s.refreshed()
	if f := s.find("slurm", "5", ""); f != nil {
		t.Errorf("facts %+v from a directory that is gone", f)
	}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.hook("begin", "5")
	s.refreshed()
	if f := s.find("slurm", "5", ""); f == nil {
		t.Error("no facts from a directory that came back")
	}
}

func TestRegistryIsBounded(t *testing.T) {
	s := newSite(t)
	const jobs = 100
	s.limit = 64
	for id := range jobs {
		s.hook("begin", strconv.Itoa(id+1))
	}
	s.refreshed()
	loaded := 0
	for _, f := range s.files {
		if len(f.facts) > 0 {
			loaded++
		}
	}
	if loaded > s.limit {
		t.Errorf("%d jobs in memory, want %d at most", loaded, s.limit)
	}
	s.hook("end", "1")
	s.time = s.time.Add(time.Hour) // past the pause after a long scan
	s.refreshed()
	s.wantEnded("1.0")
	for _, id := range []string{"1", "2", "77", strconv.Itoa(jobs)} {
		if f := s.find("slurm", id, ""); f == nil || f.id != id {
			t.Errorf("facts of job %s: %+v", id, f)
		}
	}
	for id := range 2 * maxMissing {
		s.find("slurm", strconv.Itoa(jobs+id+1), "")
	}
	if len(s.missing) > maxMissing {
		t.Errorf("%d ids remembered in vain, want %d at most", len(s.missing), maxMissing)
	}
}

func TestRegistryStopsWithContext(t *testing.T) {
	s := newSite(t)
	s.hook("begin", "5")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Refresh(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Refresh: %v, want context.Canceled", err)
	}
	if _, err := s.Ended(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ended: %v, want context.Canceled", err)
	}
}

// TestRegistryAtOnce has every method at work at the same time; the race
// detector judges.
func TestRegistryAtOnce(t *testing.T) {
	s := newSite(t)
	m := New(Config{Facts: s.Registry})
	s.limit = 8
	s.now = time.Now
	const jobs = 50
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for id := range jobs * 4 {
				m.Job(&procmon.Process{UID: 1001, Cgroups: v1Cgroups(strconv.Itoa(id % jobs))}, procmon.Job{})
			}
		})
	}
	work.Go(func() {
		for id := range jobs {
			s.hook("begin", strconv.Itoa(id))
			s.hook("end", strconv.Itoa(id))
		}
	})
	done := map[procmon.JobKey]bool{}
	for len(done) < jobs && !t.Failed() {
		if err := s.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		ended, err := s.Ended(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, one := range ended {
			if done[one.Job.Key()] {
				t.Errorf("job %s was told again", one.Job.RawID)
			}
			if err := s.Done(one.Job.Key()); err != nil {
				t.Error(err)
			}
			done[one.Job.Key()] = true
		}
	}
	work.Wait()
}

func BenchmarkFindAmongStale(b *testing.B) {
	r := newRegistry(filepath.Join(b.TempDir(), "jobs"))
	r.owner, r.Log = uint32(os.Getuid()), slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for id := range 100_000 {
		write(b, filepath.Join(r.dir, "slurm-"+strconv.Itoa(id)), line("begin", "SCHEDULER=slurm", "ID="+strconv.Itoa(id)))
	}
	if err := r.Refresh(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.find(new(procmon.Process), "slurm", "99999", "")
	}
}
