package procfs

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// statTail is fields 4 to 22 and a few more, as Linux 6.18 writes them.
const statTail = " 4242 4240 4239 34816 4240 4194560 9 0 0 0 12 34 0 0 20 0 3 0 987654 2838528 231 18446744073709551615 1 1\n"

func TestParseStat(t *testing.T) {
	want := Stat{
		PID: 4711, Comm: "gmx", State: 'S', PPID: 4242, Session: 4239, TTY: 34816, User: 120 * time.Millisecond,
		System: 340 * time.Millisecond, Start: 987654,
	}
	for _, test := range []struct {
		name, text string
		change     func(*Stat)
	}{
		{"plain", "4711 (gmx) S" + statTail, func(*Stat) {}},
		{"a comm that looks like the end", "4711 (\")\n) S 1 2) S" + statTail, func(s *Stat) { s.Comm = "\")\n) S 1 2" }},
		{"an empty comm", "4711 () S" + statTail, func(s *Stat) { s.Comm = "" }},
		{"bytes that are not UTF-8", "4711 (\xff\x80) S" + statTail, func(s *Stat) { s.Comm = "\xff\x80" }},
		{"forked, never exec'ed", "4711 (gmx) S 4242 4240 4239 34816 4240 4194368 9 0 0 0 12 34 0 0 20 0 3 0 987654 1\n", func(s *Stat) { s.NoExec = true }},
		{"no terminal, negative group", "4711 (gmx) S 4242 4240 4239 0 -1 4194560 9 0 0 0 12 34 0 0 20 0 3 0 987654 1\n", func(s *Stat) { s.TTY = 0 }},
		{"exactly 22 fields", "4711 (gmx) S 4242 4240 4239 34816 4240 4194560 9 0 0 0 12 34 0 0 20 0 3 0 987654\n", func(*Stat) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := want
			test.change(&want)
			got, err := ParseStat([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseStatRefuses(t *testing.T) {
	for _, text := range []string{
		"", "4711", "4711 (gmx", "(gmx) S 1", "4711 (gmx) S 1 2 3", "x (gmx) S" + statTail,
		"4711 (gmx) SS" + statTail, "4711 (gmx) S x" + statTail, "4711 (gmx)",
	} {
		if s, err := ParseStat([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %+v, %v; want %v", text, s, err, ErrFormat)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (gmx) S" + statTail))
	f.Add([]byte("1 (\")\n) R" + statTail))
	f.Add([]byte("4711 ()) Z 1 2 3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStat(b)
		if err == nil && s.State == 0 {
			t.Errorf("%q: no error and no state", b)
		}
	})
}
