package index

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got any) {
	t.Helper()
	b, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(b)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// telling makes a record of a phase of run at a time.
func telling(phase procmon.Phase, run *procmon.Run, at time.Time) procmon.Record {
	return procmon.Record{Host: "n1", Boot: "boot-1", Time: at, Phase: phase, Run: run}
}

// with is aRun changed.
func with(change func(*procmon.Run)) *procmon.Run {
	r := aRun()
	change(r)
	return r
}

// other moves a run to another process and time.
func other(r *procmon.Run, n int) {
	r.Process.Run.Process.PID += int32(n)
	r.Process.Run.Exec += procmon.BootNS(n) * 1e9
	r.Start, r.End = r.Start.Add(time.Duration(n)*time.Second), r.End.Add(time.Duration(n)*time.Second)
}

func TestViews(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w,
		whole(aRun()),
		whole(with(func(r *procmon.Run) { // outside of jobs, unknown, killed, nothing known of its usage
			other(r, 1)
			r.Job, r.Application, r.Usage = procmon.Job{}, procmon.Application{Kind: procmon.KindUnknown}, nil
			r.Parent, r.Process.PPID, r.UserName = procmon.RunID{}, 0, ""
			r.Exit = &procmon.Exit{Signal: 9}
			r.Process.Exe, r.Process.Args, r.Process.Missing = "", nil, procmon.MissingArgs|procmon.MissingExe
		})),
		whole(with(func(r *procmon.Run) { // what users make of names
			other(r, 2)
			r.Process.Args = []byte("sh\x00-c\x00echo 'hi'\n\x1b[31m\xff\x00\x00")
			r.Process.ArgsBytes = 2 << 20
			r.Process.Exe, r.Process.EUID = "/home/alice/\xffx\n", 0
			r.Job.Task, r.Job.Name = "7x", "a\x00b"
			r.Exit, r.Unknown = nil, true
			r.Usage.MaxRSS, r.Usage.RSSBound, r.Provisional = 2<<30, true, true
		})),
		telling(procmon.Start, with(func(r *procmon.Run) { // still going
			other(r, 3)
			r.Adopted, r.Process.Run.Exec, r.End, r.Exit, r.Usage = true, 0, time.Time{}, nil, nil
		}), t0.Add(time.Minute)),
		procmon.Record{Host: "n1", Time: t0, Seq: 4, Loss: &procmon.Loss{Count: 7, CPU: 1, From: t0, To: t0.Add(time.Second),
			Reason: procmon.LossBuffer, Where: "procconn"}},
		procmon.Record{Host: "n1", Time: t0, Seq: 5, Loss: &procmon.Loss{CPU: -1, From: t0, To: t0.Add(time.Second), Reason: procmon.LossStopped}},
		procmon.Record{Host: "n1", Time: t0.Add(time.Hour), Summary: &procmon.JobSummary{Job: aRun().Job, CPUs: 16, GPUs: 2, Start: t0, End: t0.Add(time.Hour)}},
	)
	r := mustRead(t, w)
	for view, order := range map[string]string{"runs": "run_id", "usage": "first", "history": "application, first", "jobs": "raw_job_id", "losses": "cpu"} {
		t.Run(view, func(t *testing.T) {
			golden(t, view+".json", dump(t, r, "SELECT * FROM "+view+" ORDER BY "+order))
		})
	}
}

// TestPhases tells one run in many ways, all of which come to the same sums.
func TestPhases(t *testing.T) {
	start := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	midnight := start.Add(time.Minute)
	run := func(end time.Time, cpu time.Duration) *procmon.Run {
		return with(func(r *procmon.Run) {
			r.Start, r.End, r.Exit, r.Usage = start, end, nil, nil
			if cpu > 0 {
				r.Usage = &procmon.Usage{User: cpu, MaxRSS: uint64(cpu / time.Microsecond), Read: uint64(cpu / time.Second)}
			}
			if !end.IsZero() {
				r.Exit = &procmon.Exit{Code: 3}
			}
		})
	}
	begin := telling(procmon.Start, run(time.Time{}, 0), start.Add(10*time.Second))
	check1 := telling(procmon.Checkpoint, run(time.Time{}, 30*time.Second), start.Add(30*time.Second))
	check2 := telling(procmon.Checkpoint, run(time.Time{}, 70*time.Second), midnight.Add(30*time.Second))
	end := telling(procmon.End, run(midnight.Add(time.Minute), 100*time.Second), midnight.Add(time.Minute))
	vanished := telling(procmon.End, with(func(r *procmon.Run) { r.Start, r.End, r.Unknown, r.Usage, r.Exit = start, time.Time{}, true, nil, nil }), midnight.Add(24*time.Hour))

	type day struct{ runs, failed, elapsed, cpu int64 }
	for _, tt := range []struct {
		name    string
		records []procmon.Record
		days    map[int64]day // from the start's day
		outcome any
	}{
		{"start", []procmon.Record{begin}, map[int64]day{0: {1, 0, 0, 0}}, nil},
		{"start, checkpoint", []procmon.Record{begin, check1}, map[int64]day{0: {1, 0, 30, 30}}, nil},
		{"all", []procmon.Record{begin, check1, check2, end}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"all, each twice", []procmon.Record{begin, begin, check1, check1, check2, check2, end, end}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"all, then again", []procmon.Record{begin, check1, check2, end, begin, check1, check2, end}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"a checkpoint late", []procmon.Record{begin, check2, check1, end}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"a checkpoint later than the end", []procmon.Record{begin, check2, end, check1}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"backwards", []procmon.Record{end, check2, check1, begin}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"late twice", []procmon.Record{end, check1, check1, check2, check1}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"vanished, told late", []procmon.Record{vanished, check1, begin}, map[int64]day{0: {1, 0, 30, 30}}, "unknown"},
		{"start lost", []procmon.Record{check1, check2, end}, map[int64]day{0: {1, 0, 30, 30}, 1: {0, 1, 90, 70}}, "failure"},
		{"end only", []procmon.Record{end}, map[int64]day{0: {1, 0, 0, 0}, 1: {0, 1, 120, 100}}, "failure"},
		{"end before start", []procmon.Record{end, begin}, map[int64]day{0: {1, 0, 0, 0}, 1: {0, 1, 120, 100}}, "failure"},
		{"vanished", []procmon.Record{begin, check1, vanished}, map[int64]day{0: {1, 0, 30, 30}}, "unknown"},
		{"vanished, told twice", []procmon.Record{begin, check1, vanished, vanished}, map[int64]day{0: {1, 0, 30, 30}}, "unknown"},
	} {
		for name, batched := range map[string]bool{"one batch": true, "a batch each": false} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				w := mustOpen(t, testOptions(t))
				if batched {
					mustWrite(t, w, tt.records...)
				} else {
					for _, r := range tt.records {
						mustWrite(t, w, r)
					}
				}
				r := mustRead(t, w)
				days := make(map[int64]day)
				for _, m := range dump(t, r, "SELECT epoch_day, runs, failed, elapsed_seconds, cpu_seconds FROM usage") {
					d := day{m["runs"].(int64), m["failed"].(int64), int64(m["elapsed_seconds"].(float64)), int64(m["cpu_seconds"].(float64))}
					if d != (day{}) {
						days[m["epoch_day"].(int64)-dayOf(start.UnixMicro())] = d
					}
				}
				if diff := cmp.Diff(tt.days, days, cmp.AllowUnexported(day{})); diff != "" {
					t.Errorf("days (-want +got):\n%s", diff)
				}
				rows := dump(t, r, "SELECT outcome FROM runs")
				if len(rows) != 1 || rows[0]["outcome"] != tt.outcome {
					t.Errorf("runs = %v, want one, %v", rows, tt.outcome)
				}
				agree(t, r)
			})
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		record procmon.Record
		why    string
	}{
		{"nothing", procmon.Record{Host: "n1"}, "nothing"},
		{"no process", procmon.Record{Host: "n1", Run: &procmon.Run{Start: t0}}, "without a process"},
		{"no start", whole(with(func(r *procmon.Run) { r.Start = time.Time{} })), "began at 0001-01-01"},
		{"start of the far future", whole(with(func(r *procmon.Run) { r.Start = time.Unix(math.MaxInt32*100, 0) })), "began at"},
		{"no such phase", procmon.Record{Host: "n1", Phase: 9, Run: aRun()}, "phase 9"},
		{"summary of no job", procmon.Record{Host: "n1", Summary: &procmon.JobSummary{}}, "no job"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := mustOpen(t, testOptions(t))
			err := w.Write(t.Context(), []procmon.Record{tt.record, whole(aRun()), tt.record})
			var lost *procmon.LostError
			if !errors.As(err, &lost) || !strings.Contains(err.Error(), tt.why) {
				t.Fatalf("error = %v, want a LostError with %q", err, tt.why)
			}
			want := procmon.Loss{Count: 2, CPU: -1, From: t0, To: t0, Reason: procmon.LossRejected, Where: "index"}
			if diff := cmp.Diff(want, lost.Loss); diff != "" {
				t.Error(diff)
			}
			if rows := dump(t, mustRead(t, w), "SELECT pid FROM runs"); len(rows) != 1 {
				t.Errorf("the good one was not stored: %v", rows)
			}
		})
	}
}

// Runs found alive have starts in hundredths of a second: many share one.
func TestManyRunsAtOnce(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	var records []procmon.Record
	for n := range 300 {
		records = append(records, telling(procmon.Start, with(func(r *procmon.Run) {
			r.Process.Run = procmon.RunID{Process: procmon.ProcessID{PID: int32(100 + n), Start: 5000}}
			r.End, r.Exit, r.Usage, r.Adopted = time.Time{}, nil, nil, true
		}), t0))
	}
	mustWrite(t, w, records...)
	mustWrite(t, w, records...)
	for i := range records {
		ended := *records[i].Run
		ended.End, ended.Exit = t0.Add(time.Hour), &procmon.Exit{}
		records[i].Run, records[i].Phase = &ended, procmon.End
	}
	// The first half goes, then the oldest runs are pruned: the others must
	// still be found behind the gap.
	mustWrite(t, w, records[:150]...)
	if err := w.pruneRuns(t.Context(), t0.Add(time.Minute).UnixMicro()); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, records[150:]...)
	r := mustRead(t, w)
	got := dump(t, r, "SELECT count(*) AS runs, sum(open) AS open FROM runs")
	if diff := cmp.Diff([]map[string]any{{"runs": int64(150), "open": int64(0)}}, got); diff != "" {
		t.Error(diff)
	}
	got = dump(t, r, "SELECT sum(runs) AS runs, sum(elapsed_seconds) AS s FROM usage")
	if diff := cmp.Diff([]map[string]any{{"runs": int64(300), "s": 300 * 3600.0}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUserNames(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	for n, name := range []string{"", "alice", "", "alicia", ""} {
		mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, n); r.UserName = name })))
	}
	got := dump(t, mustRead(t, w), "SELECT user, runs FROM usage ORDER BY user")
	want := []map[string]any{{"user": "alice", "runs": int64(4)}, {"user": "alicia", "runs": int64(1)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSeen(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	at := func(want time.Time) {
		t.Helper()
		got, err := w.LastSeen(t.Context())
		if err != nil || !got.Equal(want) {
			t.Errorf("LastSeen = %v, %v; want %v", got, err, want)
		}
	}
	at(time.Time{})
	if err := w.Heartbeat(t.Context(), t0.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	at(t0.Add(-time.Hour))
	mustWrite(t, w, whole(aRun()))
	at(t0)
	if err := w.Heartbeat(t.Context(), t0.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	at(t0) // never goes back
	if err := w.SaveLive(t.Context(), nil, t0.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	at(t0.Add(-time.Second)) // ran later, but knew that only
	if err := w.SaveLive(t.Context(), nil, t0); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = mustOpen(t, o)
	at(t0)
	mustWrite(t, w, procmon.Record{Host: "n2", Time: t0.Add(time.Hour), Status: &procmon.Status{Action: "hourly"}})
	at(t0)
	info, err := mustRead(t, w).Info(t.Context())
	want := Info{Path: o.Path, Schema: newestSchema(t), Runs: 1, First: t0, Last: t0.Add(10 * time.Second),
		Hosts: []HostInfo{{"n1", t0}, {"n2", t0.Add(time.Hour)}}}
	if diff := cmp.Diff(want, info); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
