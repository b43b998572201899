package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCounter(t *testing.T) {
	line := func(i int) string { return "/bin/true " + argument(sampleTag, i) }
	whole := told{
		id: "a", line: line(0), name: "true", exe: "/usr/bin/true", uid: "65534", cwd: "/tmp/bench/work", cgroup: "40000007.0",
		job: "40000007", usage: true, cpu: 5,
	}
	tests := []struct {
		name   string
		told   []told
		want   tally
		silent int
	}{
		{"nothing", nil, tally{}, 3},
		{"whole", []told{whole}, tally{Fields: has(1, 1, 1, 1, 1, 1, 1), CPU: 5}, 2},
		{"two records of one run add up", []told{{id: "a", line: line(0), exe: "/usr/bin/true"}, {id: "a", line: line(0), uid: "nobody"}},
			tally{Fields: has(1, 1, 1, 0, 0, 0, 0)}, 2},
		{"two runs with one argument", []told{{id: "a", line: line(0)}, {id: "b", line: line(0)}}, tally{Fields: has(1), Twice: 1}, 2},
		{"other values", []told{{id: "a", line: line(0), exe: "/usr/bin/false", uid: "0", cwd: "/", cgroup: "40000007.1", job: "4"}},
			tally{Fields: has(1)}, 2},
		{"not started by us", []told{{line: line(99), uid: "65534"}, {line: "sh", job: "40000007"}}, tally{}, 3},
		{"cut arguments", []told{{line: line(0)[:20], name: "true", job: "40000007"}}, tally{}, 3},
		{"without arguments, in the job", []told{{name: "true", job: "40000007", cpu: 7}}, tally{Partial: 1, CPU: 7}, 2},
		{"without arguments, of the user", []told{{name: "true", uid: "65534"}}, tally{Partial: 1}, 2},
		{"without arguments, of others", []told{{name: "true", uid: "1"}, {name: "sh", job: "40000007"}}, tally{}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCounter(sampleWant())
			for _, r := range tt.told {
				c.add(r)
			}
			tt.want.Started = 3
			if diff := cmp.Diff(tt.want, c.tally); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
			if got := c.Silent(); got != tt.silent {
				t.Errorf("silent %d, want %d", got, tt.silent)
			}
		})
	}
}

func TestSilentIsWhatNobodyTells(t *testing.T) {
	for _, tt := range []struct{ told, partial, lost, want int }{{10, 0, 0, 0}, {7, 1, 1, 1}, {7, 0, 3, 0}, {7, 0, 300, 0}} {
		s := tally{Started: 10, Partial: tt.partial, Lost: tt.lost, Fields: has(tt.told, 0, 0, 0, 0, 0, 0)}
		if got := s.Silent(); got != tt.want {
			t.Errorf("%+v: silent %d", tt, got)
		}
	}
}
