package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustSpool(t *testing.T, dir string, limit int64) *spool {
	t.Helper()
	s, torn, err := openSpool(dir, limit)
	if err != nil || torn != 0 {
		t.Fatalf("torn %d, %v", torn, err)
	}
	return s
}

func lines(from, to int) (b [][]byte) {
	for i := from; i < to; i++ {
		b = append(b, fmt.Appendf(nil, "line %d", i))
	}
	return b
}

// take takes all lines off, a few at a time.
func take(t *testing.T, s *spool, count int) (all []string) {
	t.Helper()
	for {
		some, err := s.peek(count)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			return all
		}
		for _, l := range some {
			all = append(all, string(l))
		}
		if err := s.advance(some); err != nil {
			t.Fatal(err)
		}
	}
}

func texts(b [][]byte) (s []string) {
	for _, l := range b {
		s = append(s, string(l))
	}
	return s
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSpoolInTurn(t *testing.T) {
	dir := t.TempDir()
	s := mustSpool(t, dir, 1<<20)
	for range 3 {
		want := lines(0, 1000)
		if n, err := s.append(want); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
		if diff := cmp.Diff(texts(want), take(t, s, 7)); diff != "" {
			t.Fatal(diff)
		}
		if !s.empty() || s.bytes() != 0 {
			t.Fatal("not empty")
		}
	}
	if diff := cmp.Diff([]string{offsetName}, files(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestSpoolFull(t *testing.T) {
	s := mustSpool(t, t.TempDir(), 4096)
	n, err := s.append(lines(0, 1000))
	if !errors.Is(err, errSpoolFull) || n < 300 || s.bytes() > 4096 {
		t.Fatalf("%d lines, %d bytes, %v", n, s.bytes(), err)
	}
	if m, err := s.append(lines(0, 1)); m != 0 || !errors.Is(err, errSpoolFull) {
		t.Fatal(m, err)
	}
	if diff := cmp.Diff(texts(lines(0, n)), take(t, s, 64)); diff != "" {
		t.Fatal(diff)
	}
	if n, err := s.append(lines(0, 10)); n != 10 || err != nil {
		t.Error("no room after all was taken off:", n, err)
	}
}

// A spool that is read slower than it is written keeps to its limit without
// first being emptied.
func TestSpoolRoomComesBack(t *testing.T) {
	s := mustSpool(t, t.TempDir(), 8192)
	next, taken := 0, 0
	for range 500 {
		n, err := s.append(lines(next, next+50))
		if err != nil && !errors.Is(err, errSpoolFull) {
			t.Fatal(err)
		}
		next += n
		some, err := s.peek(20)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(texts(lines(taken, taken+len(some))), texts(some)); diff != "" {
			t.Fatal(diff)
		}
		taken += len(some)
		if err := s.advance(some); err != nil {
			t.Fatal(err)
		}
	}
	if taken < 5_000 { // 20 a turn, fewer at the ends of segments
		t.Errorf("only %d lines passed", taken)
	}
}

func TestSpoolLongLines(t *testing.T) {
	s := mustSpool(t, t.TempDir(), 16<<20)
	long := [][]byte{bytes.Repeat([]byte("x"), maxLine), []byte("short"), bytes.Repeat([]byte("y"), spoolChunk)}
	if n, err := s.append(long); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if diff := cmp.Diff(texts(long), take(t, s, 64)); diff != "" {
		t.Error("differs")
	}
}

// What one life of the daemon left, the next one sends, from where it stopped.
func TestSpoolNextLife(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var want, got []string
	next := 0
	for range 60 {
		s := mustSpool(t, dir, 1<<20)
		for range rnd.IntN(4) {
			n := rnd.IntN(3000)
			if m, err := s.append(lines(next, next+n)); err != nil || m != n {
				t.Fatal(m, err)
			}
			want = append(want, texts(lines(next, next+n))...)
			next += n
			for range rnd.IntN(100) {
				some, err := s.peek(64)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, texts(some)...)
				if err := s.advance(some); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	s := mustSpool(t, dir, 1<<20)
	got = append(got, take(t, s, 64)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A crash leaves files in any state; whole lines come out again, at worst twice.
func TestSpoolAfterCrash(t *testing.T) {
	tests := []struct {
		name   string
		files  map[string]string
		offset string
		want   []string
		torn   uint64
	}{
		{"nothing", nil, "", nil, 0},
		{"torn line", map[string]string{"0000000001.jsonl": "a\nb\nhal"}, "", []string{"a", "b"}, 1},
		{"only half a line", map[string]string{"0000000001.jsonl": "hal"}, "", nil, 1},
		{"empty file", map[string]string{"0000000001.jsonl": ""}, "", nil, 0},
		{"offset inside", map[string]string{"0000000001.jsonl": "a\nb\n", "0000000002.jsonl": "c\n"}, fmt.Sprintf(offsetForm, 1, 2), []string{"b", "c"}, 0},
		{"offset at the end", map[string]string{"0000000001.jsonl": "a\nb\n", "0000000002.jsonl": "c\n"}, fmt.Sprintf(offsetForm, 1, 4), []string{"c"}, 0},
		{"all sent, not yet removed", map[string]string{"0000000001.jsonl": "a\n"}, fmt.Sprintf(offsetForm, 2, 0), nil, 0},
		{"offset beyond", map[string]string{"0000000001.jsonl": "a\n"}, fmt.Sprintf(offsetForm, 1, 99), []string{"a"}, 0},
		{"offset unreadable", map[string]string{"0000000001.jsonl": "a\n"}, "\x00\x00\x00", []string{"a"}, 0},
		{"negative offset", map[string]string{"0000000001.jsonl": "a\n"}, "1 -5\n", []string{"a"}, 0},
		{"foreign files", map[string]string{"a.jsonl": "x\n", "1.jsonl": "x\n", "notes": "x\n", "-000000001.jsonl": "x\n"}, "", nil, 0},
		{"order of numbers", map[string]string{"9999999999.jsonl": "a\n", "10000000000.jsonl": "b\n"}, "", []string{"a", "b"}, 0},
		{"long torn line", map[string]string{"0000000001.jsonl": "a\n" + strings.Repeat("x", 200_000)}, "", []string{"a"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				put(t, filepath.Join(dir, name), text)
			}
			if tt.offset != "" {
				put(t, filepath.Join(dir, offsetName), tt.offset)
			}
			s, torn, err := openSpool(dir, 1<<20)
			if err != nil || torn != tt.torn {
				t.Fatalf("torn %d, want %d; %v", torn, tt.torn, err)
			}
			if n, err := s.append([][]byte{[]byte("new")}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if diff := cmp.Diff(append(tt.want, "new"), take(t, s, 64)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSpoolUnusable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "x")
	if _, _, err := openSpool(path, 4096); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}
