package syslog

import (
	"fmt"
	"strings"
	"testing"
)

func TestRing(t *testing.T) {
	tests := []struct {
		name                  string
		lines, atLeast, limit int
		push, size            int
		want                  int
	}{
		{"none", 0, 0, 0, 10, 1, 0},
		{"fewer", 8, 4, 100, 3, 5, 3},
		{"by count", 8, 4, 1000, 20, 5, 8},
		{"by bytes", 8, 4, 30, 20, 5, 6},
		{"at least, however long", 8, 4, 30, 20, 5000, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRing(tt.lines, tt.atLeast, tt.limit)
			var want []string
			for i := range tt.push {
				line := fmt.Sprintf("%0*d", tt.size, i)
				want = append(want, line)
				r.push([]byte(line))
			}
			want = want[len(want)-tt.want:]
			bytes := 0
			for i, l := range r.all() {
				if string(l) != want[i] {
					t.Errorf("line %d is %.20q, want %.20q", i, l, want[i])
				}
				bytes += len(l)
			}
			if n := len(r.all()); n != tt.want || r.bytes != bytes {
				t.Errorf("%d lines of %d bytes, want %d of %d", n, r.bytes, tt.want, bytes)
			}
		})
	}
}

func TestRingMemory(t *testing.T) {
	r := newRing(4096, ringLines, ringBytes)
	for range 10_000 {
		r.push([]byte(strings.Repeat("x", ownLine)))
	}
	held := 0
	for _, l := range r.lines {
		held += cap(l)
	}
	if held > ringLines*2*ownLine+4096*4096 {
		t.Errorf("%d bytes held", held)
	}
}
