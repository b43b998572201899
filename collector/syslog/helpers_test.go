package syslog

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

var update = flag.Bool("update", false, "write the golden files anew")

var epoch = time.Date(2026, 11, 22, 8, 24, 52, 123456789, time.UTC)

// sampleProcess is one srun task of an alice.
func sampleProcess() *procmon.Process {
	return &procmon.Process{
		Run:  procmon.RunID{Process: procmon.ProcessID{PID: 4711, Start: 1234500}, Exec: 12345678901234},
		Boot: "2b6c1f0e-9d1e-4a53-8d0a-0f4c2a7e5b11", Time: epoch.Add(-90 * time.Second),
		PPID: 4700, UID: 1001, EUID: 1001, GID: 100, LoginUID: 1001,
		Comm: "gmx_mpi", Exe: "/apps/software/GROMACS/2023.3-foss-2023a/bin/gmx_mpi", Cwd: "/home/alice/water",
		Args: []byte("gmx_mpi\x00mdrun\x00-deffnm\x00md 1\x00"), ArgsBytes: 27, ArgsCount: 4,
		Ancestors: []procmon.Ancestor{{ID: procmon.ProcessID{PID: 4700, Start: 1234400}, UID: 1001, Comm: "slurm_script", Exe: "/usr/bin/bash"}},
	}
}

func sampleJob() procmon.Job {
	j := procmon.Job{
		Scheduler: "slurm", Cluster: "c1", ID: "4_5", RawID: "9", ArrayJob: "4", ArrayTask: "5", Step: "batch",
		User: "alice", UID: 1001, Account: "physics", Partition: "long", Name: "water", Evidence: procmon.EvidenceCgroup,
	}
	j.By[procmon.JobRawID] = procmon.EvidenceCgroup
	j.By[procmon.JobID] = procmon.EvidenceEnviron
	j.By[procmon.JobName] = procmon.EvidenceEnviron
	j.By[procmon.JobUser] = procmon.EvidenceFacts
	j.By[procmon.JobRestart] = procmon.EvidenceFacts
	return j
}

// sampleRun is a run that ended well.
func sampleRun() procmon.Record {
	p := sampleProcess()
	return procmon.Record{
		Host: "n1", Boot: p.Boot, Time: epoch.Add(time.Second),
		Run: &procmon.Run{
			Process: p, Parent: procmon.RunID{Process: procmon.ProcessID{PID: 4700, Start: 1234400}, Exec: 12344000000000},
			UserName: "alice", Job: sampleJob(),
			Application: procmon.Application{Name: "GROMACS", Version: "2023.3", Kind: procmon.KindApplication,
				Package: "GROMACS/2023.3-foss-2023a", Evidence: "easybuild", Rules: "2026.11"},
			Start: p.Time, End: epoch, Exit: &procmon.Exit{},
			Usage: &procmon.Usage{User: 80 * time.Second, System: 3 * time.Second, MaxRSS: 5 << 20, Read: 4096},
		},
	}
}

// numbered is a small run whose line is told from all others by its pid.
func numbered(i int) procmon.Record {
	r := sampleRun()
	r.Run.Process.Run.Process.PID = int32(i)
	r.Run.Process.Args = []byte("true\x00" + strconv.Itoa(i) + "\x00")
	r.Run.Process.ArgsBytes = len(r.Run.Process.Args)
	r.Run.Process.ArgsCount = 2
	return r
}

func numberedBatch(from, to int) []procmon.Record {
	var records []procmon.Record
	for i := from; i < to; i++ {
		records = append(records, numbered(i))
	}
	return records
}

func newEncoder(schema Schema, limit int, commandLine bool) *encoder {
	return &encoder{schema: schema, max: limit, commandLine: commandLine, host: "fallback"}
}

// decode parses a line and fails the test if it is not one JSON object on one
// line of valid UTF-8.
func decode(t testing.TB, line []byte) map[string]any {
	t.Helper()
	for _, c := range string(line) {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u2029' {
			t.Fatalf("control character %U in %q", c, line)
		}
	}
	if strings.ToValidUTF8(string(line), "") != string(line) {
		t.Fatalf("not UTF-8: %q", line)
	}
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return m
}

// at finds a member by its dotted name; nil if it is absent.
func at(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	head, tail, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner, _ := m[head].(map[string]any)
	return at(inner, tail)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), -update writes it anew:\n%s", path, diff)
	}
}

// shortTemp is a directory whose path leaves room for a socket's name, of 108
// bytes (unix(7)).
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "procmon-syslog-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// eventually waits for what other processes bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
