package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon/report/reporttest"
)

// importInto runs import-jobs with a text on standard input.
func importInto(ctx context.Context, t *testing.T, index string, in io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	w := &world{in: in, out: &out, err: &errs, getenv: onlyIndex, now: reporttest.Now, zone: time.UTC, watched: true}
	code = w.run(ctx, append([]string{"procmon-report", "import-jobs", "--index", index}, args...))
	return out.String(), errs.String(), code
}

func jobLines(n int) string {
	var b strings.Builder
	b.WriteString("JobIDRaw|User|UID|State|Start|End|AllocCPUS\n")
	for i := range n {
		fmt.Fprintf(&b, "%d|alice|1001|COMPLETED|1795248000|1795251600|4\n", 5000+i)
	}
	return b.String()
}

// TestImportJobsFromPipe takes standard input, compressed or not.
func TestImportJobsFromPipe(t *testing.T) {
	index := reporttest.Small(t)
	text := jobLines(700) // more than two batches
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for n, in := range []string{text, packed.String()} {
		out, errs, code := importInto(t.Context(), t, index, strings.NewReader(in), "-")
		want := []string{"700 lines: 700 jobs new, 0 updated, 0 known already.\n", "700 lines: 0 jobs new, 0 updated, 700 known already.\n"}[n]
		if code != 0 || out != want || errs != "" {
			t.Errorf("exit %d, %q %q, want %q", code, out, errs, want)
		}
	}
	out, errs, code := importInto(t.Context(), t, index, strings.NewReader(packed.String()[:packed.Len()/2]), "-")
	if code != 1 || !strings.Contains(errs, "-: unexpected EOF") {
		t.Errorf("half a file: exit %d, %q %q", code, out, errs)
	}
	out, _, code = importInto(t.Context(), t, index, strings.NewReader(""), "-")
	if code != 0 || out != "No lines: no job to import.\n" {
		t.Errorf("no lines: exit %d, %q", code, out)
	}
}

// TestImportJobsBadLines tells the first ten bad lines and counts all.
func TestImportJobsBadLines(t *testing.T) {
	index := reporttest.Small(t)
	text := "JobIDRaw|User|State\n" + strings.Repeat("\x1b[31m|bad|x\n", 25)
	out, errs, code := importInto(t.Context(), t, index, strings.NewReader(text), "-")
	if code != 1 || !strings.Contains(out, "25 bad") {
		t.Errorf("nothing but bad lines: exit %d, %q", code, out)
	}
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	if len(lines) != 12 || !strings.Contains(lines[9], "line 11:") || !strings.HasSuffix(lines[10], "and 15 more like these") ||
		!strings.HasSuffix(lines[11], "no line tells of a job that can be read") || strings.Contains(errs, "\x1b") {
		t.Errorf("said:\n%s", errs)
	}
	if out, _, code = importInto(t.Context(), t, index, strings.NewReader(text+"1|alice|RUNNING\n"), "-"); code != 0 || !strings.Contains(out, "1 job new") {
		t.Errorf("one good line: exit %d, %q", code, out)
	}
	out, errs, code = importInto(t.Context(), t, index, strings.NewReader("JobIDRaw|State\n2|RUNNING\nbad\n3|RUNNING\n"), "--strict", "-")
	if code != 1 || !strings.HasPrefix(out, "2 lines: 1 job new") || !strings.Contains(errs, "-: line 3: 1 columns") {
		t.Errorf("strict: exit %d, %q %q", code, out, errs)
	}
}

// TestImportJobsInterrupted stops between two batches and says what is stored.
func TestImportJobsInterrupted(t *testing.T) {
	index := reporttest.Small(t)
	ctx, stop := context.WithCancel(t.Context())
	const all = 20_000 // more than may lie between the reader of a pipe and who stores
	in := io.MultiReader(strings.NewReader(jobLines(all)), &stopping{stop: stop})
	out, errs, code := importInto(ctx, t, index, in, "-")
	var lines, jobs int
	if _, err := fmt.Sscanf(out, "%d lines: %d jobs new", &lines, &jobs); err != nil || jobs == 0 || jobs == all || jobs%importBatch != 0 {
		t.Errorf("%q, %v: want some batches", out, err)
	}
	if code != 1 || !strings.Contains(errs, "context canceled") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// stopping is where somebody presses Control-C.
type stopping struct{ stop context.CancelFunc }

func (s *stopping) Read([]byte) (int, error) { s.stop(); return 0, io.EOF }

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&world{err: &out, watched: true})
	p.begin("/somewhere/\x1b[31msacct.txt", 1000)
	if _, err := p.Write(make([]byte, 450)); err != nil || out.Len() > 0 {
		t.Errorf("shown before a second: %q, %v", out.String(), err)
	}
	p.next = time.Now().Add(-time.Second)
	if _, err := p.Write(nil); err != nil {
		t.Fatal(err)
	}
	if want := "\r\x1b[K?[31msacct.txt  [#########           ]  45 %"; out.String() != want {
		t.Errorf("shown: %q, want %q", out.String(), want)
	}
	out.Reset()
	p.clear()
	p.clear()
	if out.String() != "\r\x1b[K" {
		t.Errorf("cleared by %q", out.String())
	}
	p.begin("-", 0)
	p.read = 3 << 19
	if got := p.text(time.Now()); got != "-  1.5 MiB read" {
		t.Errorf("of unknown size: %q", got)
	}
	silent := newProgress(&world{err: &out})
	silent.next = time.Time{}
	out.Reset()
	if _, err := silent.Write([]byte("x")); err != nil || out.Len() > 0 {
		t.Errorf("no terminal: %q", out.String())
	}
}

// A directory and a file that cannot be read say so, once.
func TestImportJobsUnreadable(t *testing.T) {
	index := reporttest.Small(t)
	dir := t.TempDir()
	_, errs, code := importInto(t.Context(), t, index, nil, dir)
	if code != 1 || strings.Count(errs, dir) != 1 || !strings.Contains(errs, "is a directory") {
		t.Errorf("a directory: exit %d, %q", code, errs)
	}
	broken := filepath.Join(dir, "broken.gz")
	if err := os.WriteFile(broken, []byte("\x1f\x8bnot gzip at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code = importInto(t.Context(), t, index, nil, broken)
	if code != 1 || !strings.Contains(errs, gzip.ErrHeader.Error()) {
		t.Errorf("no gzip: exit %d, %q", code, errs)
	}
}
