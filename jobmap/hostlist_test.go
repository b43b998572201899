package jobmap

import "testing"

func TestHostIndex(t *testing.T) {
	for _, tt := range []struct {
		name, list, host string
		want             int
	}{
		{"alone", "n1", "n1", 0},
		{"in a list", "a,b,c", "c", 2},
		{"in a range", "n[1-4]", "n3", 2},
		{"in ranges", "n[1-2,5,7-9]", "n8", 4},
		{"behind a range", "n[1-3],gpu1", "gpu1", 3},
		{"leading zeros", "n[08-11]", "n10", 2},
		{"leading zeros wanted", "n[08-11]", "n8", -1},
		{"leading zeros not wanted", "n[8-11]", "n08", -1},
		{"growing beyond the width", "n[98-102]", "n101", 3},
		{"two dimensions", "r[1-2]n[0-2]", "r2n1", 4},
		{"behind two dimensions", "r[1-2]n[0-2],x", "x", 6},
		{"suffix", "n[1-3]-ib", "n2-ib", 1},
		{"other suffix", "n[1-3]-ib", "n2", -1},
		{"absent", "n[1-3]", "n4", -1},
		{"prefix only", "n[1-3]", "n", -1},
		{"empty", "", "n1", -1},
		{"unclosed", "n[1-3", "n1", -1},
		{"upside down", "n[3-1]", "n2", -1},
		{"no range", "n[]", "n", -1},
		{"vast", "n[0-999999999]x[0-999999999],z", "z", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hostIndex(tt.list, tt.host); got != tt.want {
				t.Errorf("hostIndex(%q, %q) = %d, want %d", tt.list, tt.host, got, tt.want)
			}
		})
	}
}

func TestSlurmCPUs(t *testing.T) {
	for _, tt := range []struct {
		name, perNode, list, node string
		want                      int
	}{
		{"one node", "2", "", "n1", 2},
		{"all alike", "1(x2)", "", "n2", 1},
		{"first", "2(x3),4", "n[1-4]", "n3", 2},
		{"last", "2(x3),4", "n[1-4]", "n4", 4},
		{"not in the list", "2(x3),4", "n[1-4]", "n5", 0},
		{"no list", "2(x3),4", "", "n4", 0},
		{"list longer than counts", "2,4", "n[1-4]", "n4", 0},
		{"none", "", "n1", "n1", 0},
		{"not a number", "two", "n1", "n1", 0},
		{"unclosed", "2(x3,4", "n[1-4]", "n4", 0},
		{"vast", "2(x99999999999),4", "n[1-4]", "n4", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := slurmCPUs(tt.perNode, tt.list, tt.node); got != tt.want {
				t.Errorf("slurmCPUs(%q, %q, %q) = %d, want %d", tt.perNode, tt.list, tt.node, got, tt.want)
			}
		})
	}
}

func TestCountList(t *testing.T) {
	for list, want := range map[string]int{"": 0, "0": 1, "0,1": 2, "0-3": 4, "0-1,3": 3, ",": 0, "GPU-ab12": 1, "GPU-a,GPU-b": 2} {
		if got := countList(list); got != want {
			t.Errorf("countList(%q) = %d, want %d", list, got, want)
		}
	}
}

func FuzzHostIndex(f *testing.F) {
	f.Add("r[1-2]n[0-2],gpu[08-11]-ib", "gpu09-ib", "2(x3),4")
	f.Add("n[1-3", "n1", "2(x")
	f.Fuzz(func(t *testing.T, list, host, perNode string) {
		if i := hostIndex(list, host); i < -1 || i > 2*maxNodes {
			t.Errorf("place %d", i)
		}
		if n := slurmCPUs(perNode, list, host); n < 0 {
			t.Errorf("%d CPUs", n)
		}
		if n := countList(list); n < 0 {
			t.Errorf("count %d", n)
		}
	})
}
