package syslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// worst is a record in which every field is as long, and as hard to escape, as
// nothing will ever be.
func worst() procmon.Record {
	bad := strings.Repeat("\x01", 5000)
	p := &procmon.Process{
		Run:  procmon.RunID{Process: procmon.ProcessID{PID: math.MinInt32, Start: math.MaxUint64}, Exec: math.MaxUint64},
		PPID: math.MinInt32, UID: math.MaxUint32 - 1, EUID: math.MaxUint32 - 1, LoginUID: math.MaxUint32 - 1,
		SID: math.MinInt32, TTY: -1, MountNS: math.MaxUint64, PIDNS: math.MaxUint64, Comm: bad, Exe: bad, ExeDeleted: true, Cwd: bad,
		Args: bytes.Repeat([]byte{1}, 1<<20), ArgsBytes: math.MaxInt, ArgsCount: math.MaxInt, Missing: math.MaxUint16 &^ procmon.MissingStatus,
		Ancestors: []procmon.Ancestor{{ID: procmon.ProcessID{PID: math.MinInt32}, Comm: bad, Exe: bad}},
	}
	j := procmon.Job{Scheduler: bad, Cluster: bad, ID: bad, RawID: bad, SLUID: bad, ArrayJob: bad, ArrayTask: bad, HetJob: bad, HetOffset: bad,
		Step: bad, Task: bad, User: bad, UID: math.MaxUint32 - 1, Account: bad, Partition: bad, Name: bad, Restart: math.MinInt,
		Evidence: procmon.EvidenceAncestor, Conflict: bad}
	for f := range j.By {
		j.By[f] = procmon.EvidenceEnviron
	}
	use := &procmon.Usage{User: math.MinInt64, System: math.MinInt64, MaxRSS: math.MaxUint64, RSSBound: true, Read: math.MaxUint64, Write: math.MaxUint64}
	return procmon.Record{Host: bad, Boot: bad, Time: epoch, Run: &procmon.Run{
		Process: p, Parent: p.Run, UserName: bad, Job: j,
		Application: procmon.Application{Name: bad, Version: bad, Kind: procmon.AppKind(bad), Package: bad, Evidence: bad, Script: bad, Image: bad, Rules: bad},
		Start:       epoch.Add(-time.Hour), End: epoch, Exit: &procmon.Exit{Signal: math.MinInt}, Usage: use, Adopted: true, Unknown: true, Provisional: true,
	}}
}

func TestWorstFits(t *testing.T) {
	run := worst()
	j := run.Run.Job
	summary := procmon.Record{Host: run.Host, Boot: run.Boot, Time: epoch, Summary: &procmon.JobSummary{Job: j, CPUs: math.MaxInt, GPUs: math.MaxInt,
		Start: epoch, End: epoch, Runs: math.MaxUint64, Failed: math.MaxUint64, Surviving: math.MaxUint64, CgroupCPU: math.MinInt64, CgroupRead: epoch,
		Usage: *run.Run.Usage}}
	for range 1000 {
		summary.Summary.Exits = append(summary.Summary.Exits, procmon.ExitShare{Exit: procmon.Exit{Signal: math.MinInt}, Runs: math.MaxUint64})
		summary.Summary.Survivors = append(summary.Summary.Survivors, procmon.Survivor{Run: run.Run.Process.Run, Comm: run.Host, Exe: run.Host})
	}
	for range 1000 {
		summary.Summary.Applications = append(summary.Summary.Applications, procmon.AppShare{Application: run.Run.Application, Usage: *run.Run.Usage})
	}
	bad := run.Host
	status := procmon.Record{Host: bad, Boot: bad, Time: epoch, Status: &procmon.Status{Action: bad, Version: bad, Source: bad, Counts: map[string]uint64{}}}
	for i := range 1000 {
		status.Status.Counts[fmt.Sprint("\x01\x02\x03", i)] = math.MaxUint64
	}
	loss := procmon.Record{Host: bad, Boot: bad, Time: epoch, Seq: math.MaxUint64, Loss: &procmon.Loss{Count: math.MaxUint64, CPU: math.MaxInt,
		From: epoch, To: epoch, Reason: bad, Where: bad}}
	overhead := newFraming(address{kind: "tls"}, strings.Repeat("h", 300)).overhead()
	for name, r := range map[string]procmon.Record{"run": run, "job": summary, "status": status, "loss": loss} {
		for _, schema := range []Schema{SchemaECS, SchemaClassic} {
			for _, commandLine := range []bool{false, true} {
				for _, limit := range []int{minLine - overhead, minLine, 3000, 5000, foreignLine, 20_000, ownLine, maxLine} {
					line := newEncoder(schema, limit, commandLine).line(nil, &r)
					if len(line) > limit {
						t.Errorf("%s, %s: %d bytes, limit %d", name, schema, len(line), limit)
					}
					if len(line) > 0 {
						decode(t, line)
					}
				}
			}
		}
	}
}

// A long argument list is cut at the end, and every byte is accounted for.
func TestArgsTruncated(t *testing.T) {
	tests := []struct {
		name  string
		args  string
		bytes int // true length
		limit int
		cut   float64 // -1: what the line itself leaves out
	}{
		{"all", "a\x00bb\x00", 5, 8000, 0},
		{"no final NUL kept", "a\x00bb", 5, 8000, 0},
		{"empty arguments", "\x00\x00\x00", 3, 8000, 0},
		{"cut at capture", "a\x00bb\x00cc", 2 << 20, 8000, 2<<20 - 7},
		{"all cut at capture", "", 100, 8000, 100},
		{"one long", strings.Repeat("x", 100_000) + "\x00", 100_001, 8000, -1},
		{"many short", strings.Repeat("x\x00", 50_000), 100_000, 8000, -1},
		{"many empty", strings.Repeat("\x00", 50_000), 50_000, 8000, -1},
		{"hard to escape", strings.Repeat("\x01", 9000) + "\x00", 9001, 8000, -1},
		{"both", strings.Repeat("abc\x00", 9000), 1 << 21, 8000, -1},
		{"long characters", strings.Repeat("漢", 9000) + "\x00", 27_001, 8000, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sampleRun()
			p := r.Run.Process
			p.Args, p.ArgsBytes, p.ArgsCount = []byte(tt.args), tt.bytes, strings.Count(tt.args, "\x00")
			line := newEncoder(SchemaECS, tt.limit, false).line(nil, &r)
			m := decode(t, line)
			cut, _ := at(m, "process.args_truncated").(float64)
			told := 0
			args, _ := at(m, "process.args").([]any)
			for _, a := range args {
				told += len(a.(string)) + 1
			}
			if tt.cut < 0 {
				if len(line) > tt.limit || len(line) < tt.limit-2*argsFrame {
					t.Errorf("%d bytes, limit %d", len(line), tt.limit)
				}
				// The last argument has no NUL if it was cut itself.
				if d := told + int(cut) - tt.bytes; d != 0 && d != 1 {
					t.Errorf("told %d, cut %v of %d", told, cut, tt.bytes)
				}
			} else if cut != tt.cut {
				t.Errorf("cut %v, want %v", cut, tt.cut)
			}
			if tt.cut == 0 && at(m, "process.args_truncated") != nil {
				t.Error("args_truncated without a cut")
			}
		})
	}
}

func TestCommandLineTruncated(t *testing.T) {
	r := sampleRun()
	for _, n := range []int{10, 3000, 100_000} {
		r.Run.Process.Args = bytes.Repeat([]byte("a b\x00"), n)
		r.Run.Process.ArgsBytes = 4 * n
		m := decode(t, newEncoder(SchemaECS, foreignLine, true).line(nil, &r))
		got := at(m, "process.command_line").(string)
		whole := strings.TrimSuffix(strings.Repeat("'a b' ", n), " ")
		if cut := n > 10; cut != strings.HasSuffix(got, cutMark) || cut != (at(m, "process.command_line_truncated") == true) ||
			!strings.HasPrefix(whole, strings.TrimSuffix(got, cutMark)) || !cut && got != whole {
			t.Errorf("%d arguments: %d of %d bytes, %v", n, len(got), len(whole), at(m, "process.command_line_truncated"))
		}
		if n > 10 && len(got) < 2000 {
			t.Errorf("%d arguments: command_line has %d bytes only", n, len(got))
		}
	}
}

// A list of many applications is cut, and what is left out is counted.
func TestApplicationsTruncated(t *testing.T) {
	s := &procmon.JobSummary{Job: sampleJob()}
	for i := range 500 {
		s.Applications = append(s.Applications, procmon.AppShare{Application: procmon.Application{Name: fmt.Sprint("app", i)}, Runs: 1})
	}
	r := procmon.Record{Host: "n1", Time: epoch, Summary: s}
	line := newEncoder(SchemaECS, foreignLine, false).line(nil, &r)
	m := decode(t, line)
	apps := at(m, "hpc.applications").([]any)
	cut, _ := at(m, "hpc.applications_truncated").(float64)
	if len(line) > foreignLine || len(apps) < 20 || len(apps)+int(cut) != 500 {
		t.Errorf("%d bytes, %d applications told, %v cut", len(line), len(apps), cut)
	}
}

func TestLongEventID(t *testing.T) {
	a := procmon.Record{Host: "n1", Summary: &procmon.JobSummary{Job: procmon.Job{RawID: strings.Repeat("1", 5000) + "a"}}}
	b := procmon.Record{Host: "n1", Summary: &procmon.JobSummary{Job: procmon.Job{RawID: strings.Repeat("1", 5000) + "b"}}}
	if eventID(&a) == eventID(&b) || len(eventID(&a)) > maxID {
		t.Errorf("%q, %q", eventID(&a), eventID(&b))
	}
}

func FuzzRun(f *testing.F) {
	f.Add([]byte("a\x00b\x00"), "/bin/a", "a", "/home", "alice", "job", 4096, 0, uint32(1000), int32(5), byte(0))
	f.Add([]byte("\xff\n\x00\x1b[31m"), "/tmp/\x01 (deleted)", "\")\n", "/\u2028", "", "\"", 3072, 1<<21, uint32(0), int32(-1), byte(3))
	f.Add(bytes.Repeat([]byte{0}, 3000), "", "", "", "", "", 2100, 3000, ^uint32(0), int32(0), byte(255))
	f.Fuzz(func(t *testing.T, args []byte, exe, comm, cwd, user, job string, limit, argsBytes int, uid uint32, pid int32, bits byte) {
		limit = minLine + (limit%maxLine+maxLine)%maxLine
		p := &procmon.Process{Run: procmon.RunID{Process: procmon.ProcessID{PID: pid}}, UID: uid, EUID: uid, Exe: exe, Comm: comm, Cwd: cwd,
			Args: args, ArgsBytes: argsBytes, ArgsCount: bytes.Count(args, []byte{0}), Missing: procmon.Missing(bits)}
		run := &procmon.Run{Process: p, UserName: user, Start: epoch, Job: procmon.Job{RawID: job, Name: user}, Exit: &procmon.Exit{Code: int(bits)}}
		r := procmon.Record{Host: "n1", Boot: "b", Time: epoch, Phase: procmon.Phase(bits % 4), Run: run}
		for _, schema := range []Schema{SchemaECS, SchemaClassic} {
			line := newEncoder(schema, limit, bits&4 != 0).line(nil, &r)
			if len(line) > limit {
				t.Fatalf("%d bytes, limit %d", len(line), limit)
			}
			if schema == SchemaECS {
				checkFields(t, decode(t, line), &r, limit)
			} else if len(line) > 0 {
				decode(t, line)
			}
		}
	})
}

// checkFields compares a line with the run that it was made of.
func checkFields(t *testing.T, m map[string]any, r *procmon.Record, limit int) {
	t.Helper()
	p := r.Run.Process
	for name, want := range map[string]string{
		"process.executable": p.Exe, "process.working_directory": p.Cwd, "process.name": processName(p.Comm, p.Exe),
		"user.name": r.Run.UserName, "hpc.job.raw_id": r.Run.Job.RawID, "event.id": eventID(r),
	} {
		got, ok := at(m, name).(string)
		want = valid(want)
		if ok != (want != "") || got != want && !(strings.HasSuffix(got, cutMark) && strings.HasPrefix(want, strings.TrimSuffix(got, cutMark))) {
			t.Fatalf("%s is %q, want %q", name, got, want)
		}
	}
	if got := at(m, "process.pid"); got != float64(p.Run.Process.PID) {
		t.Fatalf("pid %v, want %d", got, p.Run.Process.PID)
	}
	told, _ := at(m, "process.args").([]any)
	cut, _ := at(m, "process.args_truncated").(float64)
	var got, want []string
	for _, a := range told {
		got = append(got, a.(string))
	}
	for _, a := range p.Argv() {
		want = append(want, valid(a))
	}
	if cut == 0 {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("args: %s", diff)
		}
		return
	}
	if len(got) > len(want) {
		t.Fatalf("%d arguments of %d", len(got), len(want))
	}
	for i, a := range got {
		if a != want[i] && (i < len(got)-1 || !strings.HasPrefix(p.Argv()[i], a) && !strings.HasPrefix(want[i], strings.TrimRight(a, "\ufffd"))) {
			t.Fatalf("argument %d is %q, want %q", i, a, want[i])
		}
	}
}

func BenchmarkLine(b *testing.B) {
	long := sampleRun()
	long.Run.Process.Args = bytes.Repeat([]byte("--option=value\x00"), 100_000/15)
	for name, r := range map[string]procmon.Record{"short": sampleRun(), "long": long} {
		for _, schema := range []Schema{SchemaECS, SchemaClassic} {
			b.Run(string(schema)+"/"+name, func(b *testing.B) {
				e := newEncoder(schema, ownLine, false)
				var dst []byte
				b.ReportAllocs()
				for b.Loop() {
					dst = e.line(dst[:0], &r)
				}
				b.SetBytes(int64(len(dst)))
			})
		}
	}
	b.Run("encoding/json", func(b *testing.B) { // to compare: marshalling a map of the same
		r := sampleRun()
		var m map[string]any
		if err := json.Unmarshal(newEncoder(SchemaECS, ownLine, false).line(nil, &r), &m); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
