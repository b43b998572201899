package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTree(t *testing.T) {
	open, none := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name  string
		nodes []node
		want  string // pid of each run, indented
	}{
		{"none", nil, ""},
		{"one below the other", []node{
			{"h", 1, 0, 10, 20, none}, {"h", 2, 1, 11, 12, none}, {"h", 3, 2, 11.5, 12, none}, {"h", 4, 1, 13, 14, none},
		}, "1\n 2\n  3\n 4\n"},
		{"parent known by its start, the forked one between unseen", []node{
			{"h", 1, 0, 10, 20, none}, {"h", 9, 7, 12, 13, 10},
		}, "1\n 9\n"},
		{"starts moved by the index", []node{
			{"h", 1, 0, 10, 20, none}, {"h", 2, 0, 10.000002, 20, none}, {"h", 9, 2, 12, 13, 10.000001},
		}, "1\n2\n 9\n"},
		{"another host has the same pids", []node{
			{"a", 1, 0, 10, 20, none}, {"b", 2, 1, 11, 12, none}, {"b", 3, 1, 11, 12, 10},
		}, "1\n2\n3\n"},
		{"a reused pid has the newer run's children", []node{
			{"h", 5, 1, 10, 11, none}, {"h", 5, 1, 20, open, none}, {"h", 6, 5, 21, 22, none},
		}, "5\n5\n 6\n"},
		{"a parent that ended before is none", []node{
			{"h", 5, 1, 10, 11, none}, {"h", 6, 5, 21, 22, none},
		}, "5\n6\n"},
		{"its own parent", []node{{"h", 5, 5, 10, 11, 10}}, "5\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, p := range tree(c.nodes) {
				fmt.Fprintf(&b, "%s%d\n", strings.Repeat(" ", p.depth), c.nodes[p.index].pid)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTreeOfADeepChain(t *testing.T) {
	nodes := make([]node, 100_000)
	for i := range nodes {
		nodes[i] = node{"h", int64(i + 2), int64(i + 1), float64(i), math.Inf(1), math.NaN()}
	}
	places := tree(nodes)
	if last := places[len(places)-1]; len(places) != len(nodes) || last.depth != len(nodes)-1 {
		t.Errorf("%d places, the last at depth %d", len(places), last.depth)
	}
}

// Whatever parents runs claim, every run is shown once, never deeper than one
// below the run before it.
func FuzzTree(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 255, 255, 9, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var nodes []node
		for ; len(data) >= 4; data = data[4:] {
			start := float64(len(nodes) / 2)
			nodes = append(nodes, node{string(rune("ab"[data[3]%2])), int64(data[0] % 8), int64(data[1] % 8), start, start + float64(data[2]%16), float64(data[3]%16) - 4})
		}
		seen, depth := map[int]bool{}, -1
		for _, p := range tree(nodes) {
			if seen[p.index] || p.depth > depth+1 {
				t.Fatalf("%+v after depth %d", p, depth)
			}
			seen[p.index], depth = true, p.depth
		}
		if len(seen) != len(nodes) {
			t.Fatalf("%d of %d runs shown", len(seen), len(nodes))
		}
	})
}
