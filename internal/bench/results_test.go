package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// fixedResults are three rounds of made-up figures on a machine that becomes
// slower: the differences to no tool stay the same.
func fixedResults() *results {
	us := func(n, execs int) time.Duration { return time.Duration(n*execs) * time.Microsecond }
	r := &results{
		Machine: "Linux 6.1, 2 CPUs", Rounds: 3, Tools: []string{none, "bpf", "procconn", "auditd", "forkstat"},
		Absent: map[string]string{"bpf": "the kernel can't", "static": "needs gcc"},
	}
	for _, w := range workloads() {
		switch w.name {
		case "true", "static", "make-j1", "idle":
			r.Workloads = append(r.Workloads, w)
		}
	}
	for round := range 3 {
		for _, load := range []workload{r.Workloads[0], r.Workloads[2]} {
			n := load.execs * load.each
			base := 500 + 100*round
			without := sample{Tool: none, Workload: load.name, Round: round, Execs: n, Wall: time.Second, CPU: us(base, n)}
			slower := without
			slower.CPU, slower.Wall = us(base+40, n), time.Second+time.Second/10
			r.Samples = append(r.Samples, without,
				sample{
					Tool: "procconn", Workload: load.name, Round: round, Execs: n, Wall: 2 * time.Second, CPU: us(base+20+30+round, n), RunCPU: us(400, n),
					ToolCPU: us(250+round, n), LoggerCPU: us(30, n), HasLogger: true, Peak: 40 << 20, Sleeps: 9, Foreign: 3,
					Told: tally{Started: load.execs, Fields: has(load.execs-1, load.execs-1, load.execs, load.execs, 0, 1, load.execs), Lost: 2, SaysLost: true, CPU: us(300, n)},
				}, slower,
				sample{
					Tool: "auditd", Workload: load.name, Round: round, Execs: n, Wall: time.Second, CPU: us(base+40, n), ToolCPU: us(90, n), KernelCPU: us(27, n),
					HasKernel: true, Peak: 3 << 20, Told: tally{Started: load.execs, Fields: has(load.execs, load.execs), SaysLost: true},
				})
		}
	}
	r.Samples = append(r.Samples, sample{
		Tool: "procconn", Workload: "idle", Wall: 20 * time.Second, ToolCPU: 3 * time.Millisecond, HasLogger: true, LoggerCPU: time.Millisecond, Peak: 30 << 20, Sleeps: 50,
	}, sample{Tool: "auditd", Workload: "idle", Wall: 20 * time.Second, KernelCPU: time.Millisecond, Peak: 3 << 20})
	return r
}

func TestResultsGolden(t *testing.T) {
	for _, format := range []string{"table", "markdown"} {
		t.Run(format, func(t *testing.T) {
			var got bytes.Buffer
			if err := fixedResults().print(&got, format); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", format+".golden")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
			}
		})
	}
}

func TestPercentIsRoundedDown(t *testing.T) {
	for _, tt := range []struct {
		n, of int
		want  string
	}{{0, 0, unknown}, {0, 7, "0"}, {7, 7, "100"}, {999_999, 1_000_000, "99.999"}, {9_999_999, 10_000_000, "99.999"}, {1, 2, "50"}, {2, 3, "66.666"}} {
		if got := percent(tt.n, tt.of); got != tt.want {
			t.Errorf("%d of %d: %s, want %s", tt.n, tt.of, got, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		v    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 9, 1, 2}, 3}} {
		if got := median(tt.v); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.v, got, tt.want)
		}
	}
}

func TestCalm(t *testing.T) {
	quiet, loud := sample{Execs: 1000, Foreign: 150}, sample{Execs: 1000, Foreign: 151}
	for _, tt := range []struct {
		all  []sample
		want int
	}{{[]sample{quiet, loud, quiet}, 2}, {[]sample{loud, loud}, 2}, {nil, 0}} {
		if got := calm(tt.all); len(got) != tt.want {
			t.Errorf("%d of %d left, want %d", len(got), len(tt.all), tt.want)
		}
	}
}

// The samples without a tool of another workload or round are not compared with.
func TestWithout(t *testing.T) {
	s := func(tool, load string, round, us int) sample {
		return sample{Tool: tool, Workload: load, Round: round, Execs: 1, CPU: time.Duration(us) * time.Microsecond, Wall: time.Second}
	}
	r := &results{Samples: []sample{
		s(none, "a", 0, 1000), s("x", "a", 0, 0), s("y", "a", 0, 0), s(none, "a", 0, 2000), s("z", "a", 0, 0),
		s(none, "b", 0, 9000), s("x", "b", 1, 0),
	}}
	for _, tt := range []struct {
		at   int
		want float64
		ok   bool
	}{{1, 1500, true}, {2, 1500, true}, {4, 2000, true}, {6, 0, false}} {
		got, _, ok := r.without(&r.Samples[tt.at])
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("sample %d: %v, %v, want %v, %v", tt.at, got, ok, tt.want, tt.ok)
		}
	}
}
