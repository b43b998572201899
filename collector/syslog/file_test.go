package syslog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func readLines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Fatalf("%s ends in half a line", path)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	s := mustOpen(t, Options{Address: "file:" + path})
	records := numberedBatch(0, 40)
	want := wantLines(records, ownLine)
	put := func(from, to int) {
		t.Helper()
		if err := s.Write(context.Background(), records[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	check := func(path string, from, to int) {
		t.Helper()
		if got := readLines(t, path); strings.Join(got, "\n") != strings.Join(want[from:to], "\n") {
			t.Errorf("%s has %d lines, want %d to %d", filepath.Base(path), len(got), from, to)
		}
	}
	put(0, 10)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	put(10, 20)
	check(path+".1", 0, 10)
	check(path, 10, 20)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	put(20, 40)
	check(path, 20, 40)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o137 != 0 {
		t.Error("others can read it, or more:", st.Mode(), err)
	}
}

func TestFileEndsHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	put(t, path, `{"whole":1}`+"\n"+`{"ha`)
	s := mustOpen(t, Options{Address: "file:" + path})
	records := numberedBatch(0, 1)
	if err := s.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	got := readLines(t, path)
	if len(got) != 3 || got[2] != wantLines(records, ownLine)[0] {
		t.Errorf("%q", got)
	}
}

func TestFileNotRegular(t *testing.T) {
	if _, err := Open(context.Background(), Options{Address: "file:" + t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}

// pipe is a standard output whose reader may have stopped.
type pipe struct {
	bytes.Buffer
	gate chan struct{} // a value lets one Write through
	err  error
}

func (p *pipe) Write(b []byte) (int, error) {
	<-p.gate
	if p.err != nil {
		return 0, p.err
	}
	return p.Buffer.Write(b)
}

func TestStdout(t *testing.T) {
	p := &pipe{gate: make(chan struct{}, 3)}
	target := &stdout{w: p}
	ctx, cancel := context.WithCancel(context.Background())
	send := func(ctx context.Context, line string) (int, error) {
		return target.send(ctx, [][]byte{[]byte(line)})
	}
	p.gate <- struct{}{}
	if n, err := send(ctx, "a"); n != 1 || err != nil {
		t.Error(n, err)
	}
	cancel()
	if n, err := send(ctx, "b"); n != 1 || err != nil {
		t.Error("b is in the writer's hands, yet:", n, err)
	}
	if n, err := send(ctx, "c"); n != 0 || !errors.Is(err, context.Canceled) {
		t.Error("c was taken while b is under way:", n, err)
	}
	p.gate <- struct{}{}
	p.gate <- struct{}{}
	if n, err := send(context.Background(), "c"); n != 1 || err != nil {
		t.Error(n, err)
	}
	if got := p.String(); got != "a\nb\nc\n" {
		t.Errorf("%q", got)
	}
	p.err = io.ErrClosedPipe
	p.gate <- struct{}{}
	if n, err := send(context.Background(), "d"); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(n, err)
	}
}

func TestStdoutSink(t *testing.T) {
	var out bytes.Buffer
	s := mustOpen(t, Options{Address: "-", Stdout: &out, Host: "n1"})
	records := numberedBatch(0, 3)
	if err := s.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), strings.Join(wantLines(records, ownLine), "\n")+"\n"; got != want {
		t.Errorf("%q", got)
	}
}
