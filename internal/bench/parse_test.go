package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleTag = "40000007"

// sampleWant is what the samples in testdata were made from, three of 16.
func sampleWant() wanted {
	w := wanted{
		lines: map[string]bool{}, name: "true", exe: "/usr/bin/true", uids: []string{"65534", "nobody"}, cwd: "/tmp/bench/work",
		job: "40000007", cgroup: "40000007.0",
	}
	for i := range 3 {
		w.lines["/bin/true "+argument(sampleTag, i)] = true
	}
	return w
}

func has(n ...int) (f [fields]int) {
	copy(f[:], n)
	return f
}

func TestParsers(t *testing.T) {
	tests := []struct {
		file  string
		parse func(io.Reader, *counter) error
		want  tally
	}{
		// Two whole runs; one of which the job is known from the environment
		// alone, with a start and an end line; one without arguments.
		{"procmond.jsonl", readProcmond, tally{Fields: has(3, 3, 3, 3, 2, 3, 3), Partial: 1, Lost: 3, SaysLost: true}},
		{"audit.log", readAudit, tally{Fields: has(3, 3, 3, 3, 0, 0, 0)}},
		{"go-audit.json", readGoAudit, tally{Fields: has(1, 1, 1, 1, 0, 0, 0)}},
		{"execsnoop.txt", readExecsnoop, tally{Fields: has(2, 0, 0, 0, 0, 0, 0), Lost: 15, SaysLost: true}},
		{"forkstat.txt", readForkstat, tally{Fields: has(1, 0, 1, 0, 0, 0, 0)}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c := newCounter(sampleWant())
			if err := tt.parse(f, c); err != nil {
				t.Fatal(err)
			}
			tt.want.Started = 3
			got := c.tally
			got.CPU = 0 // TestProcmondUsage
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
		})
	}
}

// Usage on a checkpoint is not the run's, and is not added twice.
func TestProcmondUsage(t *testing.T) {
	const run = `"process":{"entity_id":"r","executable":"/usr/bin/true","name":"true","args":["/bin/true","ARG"]},"user":{"id":"65534"}`
	line := strings.NewReplacer("ARG", argument(sampleTag, 0)).Replace(
		`{"event":{"dataset":"procmon.run","type":["info"]},"hpc":{"usage":{"user_cpu_ns":5,"system_cpu_ns":6}},` + run + `}
{"event":{"dataset":"procmon.run","type":["end"]},"hpc":{"usage":{"user_cpu_ns":7,"system_cpu_ns":8}},` + run + "}\n")
	c := newCounter(sampleWant())
	if err := readProcmond(strings.NewReader(line), c); err != nil {
		t.Fatal(err)
	}
	want := tally{Started: 3, Fields: has(1, 1, 1, 0, 0, 0, 1), SaysLost: true, CPU: 15}
	if diff := cmp.Diff(want, c.tally); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
}

func TestExecsnoopColumns(t *testing.T) {
	// A newer release has the parent as well.
	text := "TIME            PID     PPID    ARGS\n10:00:00.001     11  12 /bin/true " + argument(sampleTag, 1) + "\n\n"
	c := newCounter(sampleWant())
	if err := readExecsnoop(strings.NewReader(text), c); err != nil {
		t.Fatal(err)
	}
	if c.Fields[lineField] != 1 {
		t.Errorf("found %d runs, want 1", c.Fields[lineField])
	}
}

func TestBadJSON(t *testing.T) {
	for name, parse := range map[string]func(io.Reader, *counter) error{"procmond": readProcmond, "go-audit": readGoAudit} {
		if err := parse(strings.NewReader("{\"event\":\n"), newCounter(sampleWant())); err == nil {
			t.Errorf("%s: half an object is no error", name)
		}
	}
}

func TestAuditStatus(t *testing.T) {
	const text = "enabled 1\nfailure 1\npid 19262\nrate_limit 0\nbacklog_limit 8192\nlost 4\nbacklog 2\nloginuid_immutable 0 unlocked\n"
	got, err := auditStatus(text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"enabled": 1, "failure": 1, "pid": 19262, "rate_limit": 0, "backlog_limit": 8192, "lost": 4, "backlog": 2, "loginuid_immutable": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if _, err := auditStatus("You must be root to run this program.\n"); err == nil {
		t.Error("a refusal is no error")
	}
}

func TestHearsConnector(t *testing.T) {
	const text = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000afab79bf 11  0          00000000 0        0        0     2        0        1026
00000000afab79c0 11  4711       00000001 0        0        0     2        0        1027
00000000afab79c1 11  4712       00000000 0        0        0     2        0        1028
00000000afab79c2 16  4713       00000001 0        0        0     2        0        1029
`
	for pid, want := range map[int]bool{0: false, 4711: true, 4712: false, 4713: false} {
		if got := hearsConnector(text, pid); got != want {
			t.Errorf("process %d: %v, want %v", pid, got, want)
		}
	}
}

// Whatever a tool prints, a run counts only once, and only if it was started.
func FuzzParsers(f *testing.F) {
	for _, file := range []string{"procmond.jsonl", "audit.log", "go-audit.json", "execsnoop.txt", "forkstat.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(io.Reader, *counter) error{readProcmond, readAudit, readGoAudit, readExecsnoop, readForkstat} {
			c := newCounter(sampleWant())
			_ = parse(strings.NewReader(text), c) // an error or not, the sums hold
			for name, n := range c.Fields {
				if n > c.Fields[lineField] || n > c.Started {
					t.Errorf("%v: %d of %d, %d with a command line", field(name), n, c.Started, c.Fields[lineField])
				}
			}
		}
		_, _ = auditStatus(text)
		hearsConnector(text, 1)
	})
}
