package jsonlines

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon"
)

const (
	head = `{"@timestamp":"2026-11-22T08:24:52.123456Z","host":{"name":"n1","boot":{"id":"b1"}},"ecs":{"version":"8.11.0"},`
	live = head + `"event":{"id":"x-start","dataset":"procmon.run","type":["start"]},"process":{"pid":7,"start":"2026-11-22T08:24:42Z"}}`
)

var at = time.Date(2026, 11, 22, 8, 24, 42, 0, time.UTC)

func TestParseRun(t *testing.T) {
	text := head + `"event":{"id":"x-end","dataset":"procmon.run","type":["start","end"],"outcome":"failure","duration":1},
		"user":{"id":"1001","name":"alice","effective":{"id":"0"},"audit":{"id":"1001"}},
		"hpc":{"job":{"scheduler":"slurm","cluster":"c1","id":"4_5","raw_id":"9","array_job_id":"4","array_task_id":"5","step_id":"0","task_id":"1",
			"user":"alice","user_id":"1001","account":"phys","partition":"cpu","name":"md","restart":0,"evidence":"cgroup","unproved":["id","name"]},
		"application":{"name":"GROMACS","version":"2023.3","kind":"application","package":"GROMACS/2023.3","evidence":"easybuild","rules":"7"},
		"usage":{"user_cpu_ns":5,"system_cpu_ns":6,"max_rss_bytes":4096,"max_rss_upper_bound":true,"read_bytes":1,"write_bytes":2,"provisional":true},
		"missing":["env","cwd"],"new_member":{"a":[1]}},
		"process":{"pid":7,"entity_id":"e","executable":"/bin/gmx","name":"gmx","working_directory":"/w","start":"2026-11-22T08:24:42Z",
			"end":"2026-11-22T08:24:52.123456Z","exit_signal":9,"parent":{"pid":3,"start":"2026-11-22T08:24:41Z","name":"sh"},
			"args_count":4,"args":["gmx","a b",""],"args_truncated":10}}`
	got, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	by := [len(procmon.Job{}.By)]procmon.Evidence{}
	for f := range by {
		by[f] = procmon.EvidenceCgroup
	}
	by[procmon.JobID], by[procmon.JobName] = procmon.EvidenceEnviron, procmon.EvidenceEnviron
	want := procmon.Record{
		Host: "n1", Boot: "b1", Time: at.Add(10123456 * time.Microsecond), Phase: procmon.Whole,
		Run: &procmon.Run{
			Process: &procmon.Process{
				Run: runID(7, at), Boot: "b1", Time: at, PPID: 3, UID: 1001, EUID: 0, LoginUID: 1001, Comm: "gmx", Exe: "/bin/gmx", Cwd: "/w",
				Args: []byte("gmx\x00a b\x00\x00"), ArgsBytes: 19, ArgsCount: 4, Missing: procmon.MissingEnv | procmon.MissingCwd,
			},
			Parent: runID(3, at.Add(-time.Second)), UserName: "alice",
			Job: procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: "4_5", RawID: "9", ArrayJob: "4", ArrayTask: "5", Step: "0", Task: "1", User: "alice", UID: 1001,
				Account: "phys", Partition: "cpu", Name: "md", Evidence: procmon.EvidenceCgroup, By: by},
			Application: procmon.Application{Name: "GROMACS", Version: "2023.3", Kind: procmon.KindApplication, Package: "GROMACS/2023.3", Evidence: "easybuild", Rules: "7"},
			Start:       at, End: at.Add(10123456 * time.Microsecond), Exit: &procmon.Exit{Signal: 9}, Provisional: true,
			Usage: &procmon.Usage{User: 5, System: 6, MaxRSS: 4096, RSSBound: true, Read: 1, Write: 2},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestParseHeaders skips what stands before the JSON.
func TestParseHeaders(t *testing.T) {
	for _, header := range []string{"", "@cee: ", "@cee:", "<14>Nov 22 08:24:52 n1 procmon[33]: @cee: ", "2026-11-22T08:24:52.123456+01:00 n1 procmon: ",
		`<14>1 2026-11-22T08:24:52Z n1 procmon 33 - [origin x="y"] @cee: `} {
		if r, err := Parse([]byte(header + live)); err != nil || r.Run.Process.Run.Process.PID != 7 || r.Phase != procmon.Start {
			t.Errorf("%q: %+v, %v", header, r, err)
		}
	}
}

func TestParsePhases(t *testing.T) {
	for types, want := range map[string]procmon.Phase{`"start"`: procmon.Start, `"info"`: procmon.Checkpoint, `"end"`: procmon.End, `"start","end"`: procmon.Whole} {
		r, err := Parse([]byte(strings.Replace(live, `["start"]`, "["+types+"]", 1)))
		if err != nil || r.Phase != want {
			t.Errorf("%s: phase %d, %v", types, r.Phase, err)
		}
	}
}

// TestParseOthers reads what is no run.
func TestParseOthers(t *testing.T) {
	loss := head + `"event":{"id":"n1-x-cfjlsvkgw3k1-1f","dataset":"procmon.loss","start":"2026-11-22T08:00:00Z","end":"2026-11-22T08:01:00Z"},
		"hpc":{"loss":{"count":7,"cpu":0,"reason":"buffer full","where":"procconn"}}}`
	r, err := Parse([]byte(loss))
	if err != nil || r.Seq != 51 {
		t.Fatalf("%+v, %v", r, err)
	}
	want := &procmon.Loss{Count: 7, CPU: 0, From: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 22, 8, 1, 0, 0, time.UTC), Reason: "buffer full", Where: "procconn"}
	if diff := cmp.Diff(want, r.Loss); diff != "" {
		t.Error(diff)
	}
	if again := (&procmon.Record{Host: "n1-x", Time: r.Time, Seq: r.Seq, Loss: r.Loss}).EventID(); again != "n1-x-cfjlsvkgw3k1-1f" {
		t.Errorf("event.id is %s now", again)
	}
	r, err = Parse([]byte(head + `"event":{"id":"y","dataset":"procmon.job"},"hpc":{"job":{"raw_id":"9","evidence":"facts","cpus":4,"gpus":1,"start":"2026-11-22T08:00:00Z",
		"cgroup_cpu_ns":700,"cgroup_cpu_until":"2026-11-22T08:20:00Z"},"usage":{"user_cpu_ns":1000000000000000000},"runs":3}}`))
	if err != nil || r.Summary == nil || r.Summary.CgroupCPU != 700 || !r.Summary.CgroupRead.Equal(at.Add(-282*time.Second)) || r.Summary.Usage.User != 1e18 || r.Summary.Job.RawID != "9" || r.Summary.CPUs != 4 || r.Summary.GPUs != 1 || r.Summary.Runs != 3 || r.Summary.Start.IsZero() {
		t.Errorf("job: %+v, %v", r, err)
	}
	r, err = Parse([]byte(head + `"event":{"id":"z","dataset":"procmon.status","action":"hourly"},"hpc":{"status":{"counts":{"a":1}}}}`))
	if err != nil || r.Status == nil || r.Status.Action != "hourly" {
		t.Errorf("status: %+v, %v", r, err)
	}
}

func TestParseRefuses(t *testing.T) {
	swap := func(old, with string) string { return strings.Replace(live, old, with, 1) }
	for _, tt := range []struct {
		name, text string
		err        error
		says       string
	}{
		{"empty", "", ErrNoJSON, ""},
		{"text", "Nov 22 n1 sshd: hello", ErrNoJSON, ""},
		{"a header without end", strings.Repeat("x", maxHeader) + live, ErrNoJSON, ""},
		{"classic", `{"timestamp":"x","node":"n1","pid":1,"name":"a","ppid":1,"uid":1,"cmdline":"a b"}`, ErrClassic, "classic"},
		{"another program's", `{"msg":"hello"}`, ErrForeign, "event.dataset"},
		{"another dataset", swap("procmon.run", "procmon.later"), ErrBad, "procmon.later"},
		{"cut off", live[:len(live)-5], ErrBad, "unexpected end"},
		{"two objects", live + live, ErrBad, "after top-level"},
		{"no host", swap(`"n1"`, `""`), ErrBad, "host.name"},
		{"no time", swap("2026-11-22T08:24:52.123456Z", "0001-01-01T00:00:00Z"), ErrBad, "@timestamp"},
		{"no type", swap(`["start"]`, `[]`), ErrBad, "event.type"},
		{"no pid", swap(`"pid":7`, `"pid":0`), ErrBad, "process.pid"},
		{"a pid that can't be", swap(`"pid":7`, `"pid":5000000000`), ErrBad, "number 5000000000, which is no int32"},
		{"a start before there were clocks", swap("2026-11-22T08:24:42Z", "1970-01-01T00:00:00Z"), ErrBad, "process.start"},
		{"negative CPU time", swap(`"process"`, `"hpc":{"usage":{"user_cpu_ns":-1}},"process"`), ErrBad, "number -1"},
		{"too much CPU time", swap(`"process"`, `"hpc":{"usage":{"user_cpu_ns":9223372036854775807}},"process"`), ErrBad, "CPU time"},
		{"too much CPU time of a job", strings.Replace(head, "{", `{"hpc":{"job":{"raw_id":"9","cgroup_cpu_ns":9223372036854775807}},`, 1) + `"event":{"dataset":"procmon.job"}}`, ErrBad, "CPU time"},
		{"too many bytes", swap(`"process"`, `"hpc":{"usage":{"read_bytes":18446744073709551615}},"process"`), ErrBad, "bytes"},
		{"a user id that is none", swap(`"process"`, `"user":{"id":"alice"},"process"`), ErrBad, ""},
		{"a loss without its number", swap("procmon.run", "procmon.loss"), ErrBad, "event.id"},
		{"a summary of no job", swap("procmon.run", "procmon.job"), ErrBad, "raw_id"},
		{"deep", swap(`"process"`, `"x":`+strings.Repeat("[", 20000)), ErrBad, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Parse([]byte(tt.text))
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v, %v; want %v and %q", r, err, tt.err, tt.says)
			}
		})
	}
}

func TestReader(t *testing.T) {
	text := live + "\r\n\n# a comment\n{\"x\":1}\n" + strings.Repeat("y", maxLine+100) + "\n" + live + "\n" + live[:40]
	r := NewReader(strings.NewReader(text))
	type result struct {
		line int
		err  error
		text int
	}
	var got []result
	for {
		_, err := r.Next()
		var bad *LineError
		switch {
		case errors.As(err, &bad):
			for _, why := range []error{ErrCut, ErrForeign, errLong} {
				if errors.Is(err, why) {
					got = append(got, result{bad.Line, why, len(bad.Text)})
					break
				}
			}
			continue
		case err == nil:
			got = append(got, result{line: r.Line()})
			continue
		case !errors.Is(err, io.EOF):
			t.Fatal(err)
		}
		break
	}
	want := []result{{1, nil, 0}, {4, ErrForeign, 7}, {5, errLong, maxLine}, {6, nil, 0}, {7, ErrCut, 40}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{}), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r = NewReader(io.MultiReader(strings.NewReader(live+"\n"+live[:9]), errorReader{}))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, errBroken) {
		t.Errorf("%v, want what the reader said", err)
	}
}

var errBroken = errors.New("broken")

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errBroken }

func FuzzParse(f *testing.F) {
	f.Add([]byte(live))
	f.Add([]byte("<14>x: @cee: " + live))
	f.Add([]byte(head + `"event":{"id":"n1-cfjlsvkgw3k1-1f","dataset":"procmon.loss"},"hpc":{"loss":{"reason":"cap"}}}`))
	f.Add([]byte(head + `"event":{"dataset":"procmon.job"},"hpc":{"job":{"raw_id":"9","user_id":"1","unproved":["id"]},"usage":{"read_bytes":1}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		if r.Host == "" || !saneTime(r.Time) {
			t.Errorf("%+v", r)
		}
		if run := r.Run; run != nil {
			if run.Process == nil || run.Process.Run.Process.PID <= 0 || !saneTime(run.Start) || run.Process.ArgsBytes < len(run.Process.Args) {
				t.Errorf("%+v", run)
			}
			if len(run.Process.Args) > 4*len(text) || bytes.Count(run.Process.Args, []byte{0}) > len(text) {
				t.Errorf("%d bytes of arguments of a line of %d", len(run.Process.Args), len(text))
			}
			if u := run.Usage; u != nil && (u.User < 0 || u.System < 0) {
				t.Errorf("%+v", u)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(strings.Replace(live, `"process":{`, `"hpc":{"job":{"scheduler":"slurm","cluster":"c1","id":"4_5","raw_id":"9","user":"alice","user_id":"1001","evidence":"cgroup"},
		"application":{"name":"GROMACS","version":"2023.3","kind":"application"},"usage":{"user_cpu_ns":5,"system_cpu_ns":6,"max_rss_bytes":4096,"read_bytes":1,"write_bytes":2}},
		"process":{"args":["gmx","mdrun","-s","topol.tpr"],`, 1))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
