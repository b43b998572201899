package procconn

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string][]int{
		"0-3,8\n": {0, 1, 2, 3, 8}, "5": {5}, "\n": nil, "2,0-2": {0, 1, 2},
	} {
		if got, err := parseCPUs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"(null)", "3-1", "1-", "-1", "65536", "0-99999999999"} {
		if got, err := parseCPUs(text); err == nil {
			t.Errorf("%q: %v and no error", text, got)
		}
	}
}

func TestReaderCPUs(t *testing.T) {
	for _, test := range []struct{ allowed, isolated, want []int }{
		{[]int{0, 1, 2, 3}, nil, []int{0, 1, 2, 3}},
		{[]int{0, 1, 2, 3}, []int{2, 3, 3}, []int{0, 1}},
		{[]int{2, 3}, []int{1, 2, 3}, []int{2, 3}}, // no other is left
	} {
		if got := readerCPUs(test.allowed, test.isolated); !slices.Equal(got, test.want) {
			t.Errorf("%v without %v: %v, want %v", test.allowed, test.isolated, got, test.want)
		}
	}
}

// TestPlaces: whatever CPUs there are, every CPU number is taken by exactly one
// reader, and by its own where it has one.
func TestPlaces(t *testing.T) {
	if diff := cmp.Diff([]place{{2, cpuRange{0, 3}}, {4, cpuRange{4, maxCPU}}}, places([]int{2, 4}, 8), cmp.AllowUnexported(place{}, cpuRange{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := 1; n <= 600; n += 7 {
		var cpus []int
		for i := range n {
			cpus = append(cpus, 3*i+1)
		}
		all := places(cpus, 256)
		next := uint32(0)
		for _, p := range all {
			if p.takes.lo != next || uint32(p.cpu) < p.takes.lo || uint32(p.cpu) > p.takes.hi {
				t.Fatalf("%d CPUs: %+v after %d", n, p, next)
			}
			next = p.takes.hi + 1
		}
		if next != maxCPU+1 || len(all) > 256 || len(all) < min(n, 128) {
			t.Fatalf("%d CPUs: %d readers up to %d", n, len(all), next-1)
		}
	}
}

func TestJoined(t *testing.T) {
	j := joined{3: 100}
	for _, test := range []struct {
		reader int
		cpu    uint32
		time   uint64
		want   bool
	}{
		{0, 3, 99, true}, {3, 3, 99, false}, {0, 3, 100, false}, {3, 3, 100, true}, {0, 1, 500, true},
	} {
		if got := j.has(test.reader, &message{CPU: test.cpu, Time: test.time}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
