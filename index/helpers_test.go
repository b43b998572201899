package index

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"procmon"
)

// t0 is the time that the tests take place at.
var t0 = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func testOptions(t testing.TB) Options {
	return Options{
		Path: filepath.Join(t.TempDir(), "procmon.db"), Host: "n1", Boot: "boot-1",
		Now: func() time.Time { return t0 },
	}
}

func mustOpen(t testing.TB, o Options) *Writer {
	t.Helper()
	w, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func mustWrite(t testing.TB, w *Writer, records ...procmon.Record) {
	t.Helper()
	if err := w.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, w *Writer) *Reader {
	t.Helper()
	r, err := OpenReader(t.Context(), w.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// aRun is a run of gmx in job 9 that took ten seconds.
func aRun() *procmon.Run {
	return &procmon.Run{
		Process: &procmon.Process{
			Run:  procmon.RunID{Process: procmon.ProcessID{PID: 4711, Start: 5000}, Exec: 50_000_000_000},
			Boot: "boot-1", Time: t0, PPID: 4700, UID: 1001, EUID: 1001, GID: 1001,
			Comm: "gmx", Exe: "/apps/gmx/bin/gmx", Cwd: "/home/alice",
			Args: []byte("gmx\x00mdrun\x00-s\x00my file.tpr\x00"), ArgsBytes: 25, ArgsCount: 4,
		},
		Parent:   procmon.RunID{Process: procmon.ProcessID{PID: 4700, Start: 4900}, Exec: 49_000_000_000},
		UserName: "alice",
		Job: procmon.Job{
			Scheduler: "slurm", Cluster: "c1", ID: "9", RawID: "9", Step: "0", Task: "0", User: "alice", UID: 1001,
			Account: "phys", Partition: "cpu", Name: "md", Evidence: procmon.EvidenceCgroup,
			By: evidence(procmon.EvidenceCgroup, map[procmon.JobField]procmon.Evidence{procmon.JobName: procmon.EvidenceEnviron}),
		},
		Application: procmon.Application{Name: "GROMACS", Version: "2023.3", Kind: procmon.KindApplication,
			Package: "GROMACS/2023.3-foss-2023a", Evidence: "easybuild", Rules: "1"},
		Start: t0, End: t0.Add(10 * time.Second), Exit: &procmon.Exit{},
		Usage: &procmon.Usage{User: 8 * time.Second, System: time.Second, MaxRSS: 1 << 30, Read: 4096, Write: 8192},
	}
}

func evidence(all procmon.Evidence, but map[procmon.JobField]procmon.Evidence) (by [len(procmon.Job{}.By)]procmon.Evidence) {
	for f := range by {
		by[f] = all
		if e, ok := but[procmon.JobField(f)]; ok {
			by[f] = e
		}
	}
	return by
}

func whole(r *procmon.Run) procmon.Record {
	return procmon.Record{Host: "n1", Boot: "boot-1", Time: r.End, Phase: procmon.Whole, Run: r}
}

func dump(t testing.TB, r *Reader, query string, args ...any) []map[string]any {
	t.Helper()
	rows, err := r.DB().QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, _ := rows.Columns()
	var all []map[string]any
	for rows.Next() {
		vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		m := make(map[string]any)
		for i, c := range cols {
			if vals[i] != nil {
				m[c] = vals[i]
			}
		}
		all = append(all, m)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// aBatch is n runs, the same ones each time.
func aBatch(n int) []procmon.Record {
	return newHistory(rand.New(rand.NewPCG(1, 2)), 0.2).batch(n)
}

// newestSchema is the version of the schema that this program makes.
func newestSchema(t *testing.T) int {
	t.Helper()
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	return len(steps)
}
