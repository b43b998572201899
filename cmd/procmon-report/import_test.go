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

	"procmon"
	"procmon/index"
	"procmon/jsonlines"
	"procmon/report/reporttest"
)

// line is one of a run that ended, of host n1.
func line(pid int, start string) string {
	return fmt.Sprintf(`{"@timestamp":"2026-11-22T12:00:00Z","event":{"id":"x-%d-end","dataset":"procmon.run","type":["start","end"]},"host":{"name":"n1"},`+
		`"user":{"id":"1001"},"hpc":{"usage":{"user_cpu_ns":1000000000}},"process":{"pid":%d,"executable":"/bin/a","start":%q,"end":"2026-11-22T12:00:00Z","exit_code":0,"args":["a"]}}`,
		pid, pid, start)
}

func someLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, line(10+i, fmt.Sprintf("2026-11-22T11:59:58.%06dZ", i)))
	}
	return b.String()
}

// importLines runs import with a text on standard input.
func importLines(ctx context.Context, to string, in io.Reader, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	w := &world{in: in, out: &out, err: &errs, getenv: func(string) string { return "" }, now: reporttest.Now, zone: time.UTC}
	code = w.run(ctx, append([]string{"procmon-report", "import", "--index", to}, args...))
	return out.String(), errs.String(), code
}

// TestImportFromPipe takes standard input, compressed or not, and makes the index.
func TestImportFromPipe(t *testing.T) {
	to := filepath.Join(t.TempDir(), "new.db")
	text := someLines(1200) // more than two batches
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for n, in := range []string{text, packed.String()} {
		out, errs, code := importLines(t.Context(), to, strings.NewReader(in), "-")
		want := []string{"1200 lines: 1200 runs new, 0 updated, 0 known already.\n", "1200 lines: 0 runs new, 0 updated, 1200 known already.\n"}[n]
		if code != 0 || out != want || errs != "" {
			t.Errorf("exit %d, %q %q, want %q", code, out, errs, want)
		}
	}
	if st, err := os.Stat(to); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("the index: %v, %v; want mode 0640", st, err)
	}
	out, errs, code := importLines(t.Context(), to, strings.NewReader(packed.String()[:packed.Len()/2]), "-")
	if code != 1 || !strings.Contains(errs, "-: unexpected EOF") || !strings.Contains(out, "known already") {
		t.Errorf("half a file: exit %d, %q %q", code, out, errs)
	}
	if out, _, code = importLines(t.Context(), to, strings.NewReader(""), "-"); code != 0 || out != "No lines: nothing to import.\n" {
		t.Errorf("no lines: exit %d, %q", code, out)
	}
	if _, errs, code = importLines(t.Context(), to, strings.NewReader("")); code != 2 || !strings.Contains(errs, "import needs files") {
		t.Errorf("no file: exit %d, %q", code, errs)
	}
	if _, errs, code = importLines(t.Context(), to, strings.NewReader(""), "/nowhere/x.log"); code != 1 || !strings.Contains(errs, "/nowhere/x.log: no such file") {
		t.Errorf("no such file: exit %d, %q", code, errs)
	}
}

// TestImportBadLines counts bad lines, tells ten, and keeps all aside; when they
// are mended they are imported from there.
func TestImportBadLines(t *testing.T) {
	dir := t.TempDir()
	to, log := filepath.Join(dir, "new.db"), filepath.Join(dir, "runs.log")
	classic := `{"timestamp":"x","node":"n1","pid":1,"cmdline":"\u001b[31m"}`
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(someLines(2) + strings.Repeat(classic+"\n", 25) + "\x1b[31mtext\n" + line(99, "2026-11-22T11:59:58Z")[:80])
	out, errs, code := importLines(t.Context(), to, nil, log, log+".bad")
	if code != 0 || out != "29 lines: 2 runs new, 0 updated, 0 known already; 27 bad, kept in "+log+".bad.\n" {
		t.Errorf("exit %d, %q", code, out)
	}
	said := strings.Split(strings.TrimSpace(errs), "\n")
	if len(said) != 12 || !strings.Contains(said[0], "runs.log: line 3: of schema classic") || !strings.Contains(said[10], "runs.log: its last line is not whole") ||
		!strings.HasSuffix(said[11], "and 17 more like these") || strings.Contains(errs, "\x1b") {
		t.Errorf("said:\n%s", errs)
	}
	kept, err := os.ReadFile(log + ".bad")
	if err != nil || strings.Count(string(kept), classic) != 25 || strings.Count(string(kept), "\n") != 52 ||
		!strings.HasPrefix(string(kept), "# "+log+": line 3: of schema classic") || !strings.Contains(string(kept), "\n\x1b[31mtext\n") {
		t.Fatalf("kept %v:\n%.300q", err, kept)
	}
	mended := strings.Replace(string(kept), "\x1b[31mtext", line(77, "2026-11-22T11:59:58Z"), 1)
	if err := os.WriteFile(log+".bad", []byte(mended), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, code = importLines(t.Context(), to, nil, "--bad", dir+"/left", log+".bad"); code != 0 || !strings.HasPrefix(out, "26 lines: 1 run new") {
		t.Errorf("mended: exit %d, %q", code, out)
	}
	if out, _, code = importLines(t.Context(), to, nil, "--bad", "/nowhere/bad", log); code != 0 || !strings.Contains(out, "27 bad.") {
		t.Errorf("nowhere to keep them: exit %d, %q", code, out)
	}
	write(classic + "\n")
	if _, errs, code = importLines(t.Context(), to, nil, log); code != 1 || !strings.HasSuffix(errs, "no line could be read\n") {
		t.Errorf("nothing but bad lines: exit %d, %q", code, errs)
	}
	write(line(200, "2026-11-22T11:59:58Z") + "\n" + classic + "\n" + line(201, "2026-11-22T11:59:58Z") + "\n")
	out, errs, code = importLines(t.Context(), to, nil, "--strict", log)
	if code != 1 || !strings.HasPrefix(out, "2 lines: 1 run new") || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "runs.log: line 2: of schema classic") {
		t.Errorf("strict: exit %d, %q %q", code, out, errs)
	}
	if left, _ := filepath.Glob(dir + "/.procmon-report-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestImportKeepsBadLinesOutOfLinks does not write where a link leads.
func TestImportKeepsBadLinesOutOfLinks(t *testing.T) {
	dir := t.TempDir()
	log, victim := filepath.Join(dir, "runs.log"), filepath.Join(dir, "victim")
	for path, text := range map[string]string{log: "bad\n" + someLines(1), victim: "mine"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(victim, log+".bad"); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := importLines(t.Context(), filepath.Join(dir, "new.db"), nil, log); code != 0 {
		t.Fatalf("exit %d, %q", code, errs)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
		t.Errorf("the link's file holds %q, %v", text, err)
	}
}

// TestImportRefusedLines keeps lines aside that can be read but not stored, in their
// order among the bad ones.
func TestImportRefusedLines(t *testing.T) {
	const most = 1 << 14 // runs in a microsecond
	dir := t.TempDir()
	to, log := filepath.Join(dir, "new.db"), filepath.Join(dir, "runs.log")
	var text strings.Builder
	for i := range most {
		fmt.Fprintln(&text, line(10+i, "2026-11-22T11:59:58Z"))
	}
	one, two := line(100_001, "2026-11-22T11:59:58Z"), line(100_002, "2026-11-22T11:59:58Z")
	fmt.Fprintf(&text, "%s\nbad\n%s\n%s\n", one, two, line(10, "2026-11-22T11:59:59Z"))
	if err := os.WriteFile(log, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, code := importLines(t.Context(), to, nil, log)
	if want := "16388 lines: 16385 runs new, 0 updated, 0 known already; 1 bad; 2 refused, kept in " + log + ".bad.\n"; code != 0 || out != want {
		t.Errorf("exit %d, %q, want %q", code, out, want)
	}
	why := ": more than 16384 runs that began at 2026-11-22 11:59:58 +0000 UTC\n"
	if want := "procmon-report: " + log + ": line 16385" + why + "procmon-report: " + log + ": line 16386: no JSON object in it\nprocmon-report: " + log + ": line 16387" + why; errs != want {
		t.Errorf("said %q, want %q", errs, want)
	}
	kept, err := os.ReadFile(log + ".bad")
	if want := "# " + log + ": line 16385" + why + one + "\n# " + log + ": line 16386: no JSON object in it\nbad\n# " + log + ": line 16387" + why + two + "\n"; err != nil || string(kept) != want {
		t.Errorf("kept %v %q, want %q", err, kept, want)
	}
	mended := strings.ReplaceAll(string(kept), "11:59:58Z", "11:59:57Z")
	if err := os.WriteFile(log+".bad", []byte(mended), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, code = importLines(t.Context(), to, nil, "--bad", dir+"/left", log+".bad"); code != 0 || !strings.HasPrefix(out, "3 lines: 2 runs new") {
		t.Errorf("mended: exit %d, %q", code, out)
	}
	out, errs, code = importLines(t.Context(), to, nil, "--strict", log)
	if code != 1 || !strings.Contains(out, " 1 refused, kept in ") || errs != "procmon-report: "+log+": line 16385"+why {
		t.Errorf("strict: exit %d, %q %q", code, out, errs)
	}
}

// TestImportBesideAWriter imports lines of runs that a daemon tells too.
func TestImportBesideAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "procmon.db")
	daemon, err := index.Open(t.Context(), index.Options{Path: path, Host: "n1", Boot: "b", Now: func() time.Time { return reporttest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	start := time.Date(2026, 11, 22, 11, 59, 58, 0, time.UTC)
	live := procmon.Run{Start: start, Process: &procmon.Process{Run: procmon.RunID{Process: procmon.ProcessID{PID: 10, Start: 5}, Exec: 7}, Boot: "b", UID: 1001, EUID: 1001, Exe: "/bin/a"}}
	tell := func(phase procmon.Phase, run procmon.Run) {
		t.Helper()
		if err := daemon.Write(t.Context(), []procmon.Record{{Host: "n1", Boot: "b", Time: start.Add(2 * time.Second), Phase: phase, Run: &run}}); err != nil {
			t.Fatal(err)
		}
	}
	tell(procmon.Start, live)
	if out, errs, code := importLines(t.Context(), path, strings.NewReader(someLines(2)), "-"); code != 0 || out != "2 lines: 1 run new, 1 updated, 0 known already.\n" {
		t.Fatalf("exit %d, %q %q", code, out, errs)
	}
	end := live
	end.End, end.Exit, end.Usage = start.Add(2*time.Second), &procmon.Exit{}, &procmon.Usage{User: time.Second}
	tell(procmon.End, end)
	if open, _, err := daemon.Live(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("still open: %+v, %v", open, err)
	}
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var runs, counted int
	var cpu float64
	if err := r.DB().QueryRow("SELECT (SELECT count(*) FROM runs), sum(runs), sum(cpu_seconds) FROM usage").Scan(&runs, &counted, &cpu); err != nil || runs != 2 || counted != 2 || cpu != 2 {
		t.Errorf("%d runs, %d counted, %v s of CPU time, %v; want 2, 2, 2", runs, counted, cpu, err)
	}
}

// TestImportAfterPruning leaves runs out that were counted and pruned.
func TestImportAfterPruning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "procmon.db")
	if _, errs, code := importLines(t.Context(), path, strings.NewReader(someLines(2)), "-"); code != 0 {
		t.Fatal(errs)
	}
	out, errs, code := importLines(t.Context(), path, strings.NewReader(""), "--keep-runs", "1h", "--keep-usage", "400d", "-")
	if code != 0 || out != "No lines: nothing to import.\n" {
		t.Fatalf("exit %d, %q %q", code, out, errs)
	}
	out, errs, code = importLines(t.Context(), path, strings.NewReader(someLines(2)+line(30, "2026-11-22T14:00:00Z")+"\n"), "-")
	if code != 0 || !strings.HasPrefix(out, "3 lines: 1 run new, 0 updated, 0 known already; 2 of runs older than") {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
	if _, errs, code = importLines(t.Context(), path, strings.NewReader(""), "--keep-runs", "long", "-"); code != 2 || !strings.Contains(errs, "--keep-runs") {
		t.Errorf("no duration: exit %d, %q", code, errs)
	}
	daemon, err := index.Open(t.Context(), index.Options{Path: path, Host: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	if _, errs, code = importLines(t.Context(), path, strings.NewReader(""), "--keep-runs", "1h", "-"); code != 1 || !strings.Contains(errs, "stop it first") {
		t.Errorf("pruning a daemon's index: exit %d, %q", code, errs)
	}
}

// TestImportIsBounded reads 60 KB lines in batches of a bounded size.
func TestImportIsBounded(t *testing.T) {
	long := strings.Replace(line(10, "2026-11-22T11:59:58Z"), `["a"]`, `["`+strings.Repeat("x", 60_000)+`"]`, 1) + "\n"
	const lines = 500
	to := make(chan *batch)
	go parse(t.Context(), jsonlines.NewReader(io.LimitReader(&repeated{text: long}, int64(lines*len(long)))), false, to)
	read := 0
	for b := range to {
		read += len(b.records)
		if size := len(b.records) * len(long); size > gatherBytes+len(long) {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if read != lines {
		t.Errorf("%d lines, want %d", read, lines)
	}
}

// repeated gives a text again and again.
type repeated struct {
	text string
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// TestImportInterrupted stops and says what is stored.
func TestImportInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	in := io.MultiReader(strings.NewReader(someLines(2000)), &stopping{stop: stop})
	out, errs, code := importLines(ctx, filepath.Join(t.TempDir(), "new.db"), in, "-")
	if code != 1 || !strings.Contains(out, " runs new, 0 updated, 0 known already.") || !strings.Contains(errs, "context canceled") {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
}

// hanging has nothing to read, for ever, once somebody waits for it.
type hanging struct {
	asked func()
	until chan struct{}
}

func (h *hanging) Read([]byte) (int, error) {
	h.asked()
	<-h.until
	return 0, io.EOF
}

// TestInterruptedWhileWaiting ends although standard input does not.
func TestInterruptedWhileWaiting(t *testing.T) {
	to := filepath.Join(t.TempDir(), "new.db")
	if _, errs, code := importLines(t.Context(), to, strings.NewReader(someLines(1)), "-"); code != 0 {
		t.Fatal(errs)
	}
	for _, command := range []string{"import", "import-jobs"} {
		ctx, interrupt := context.WithCancel(t.Context())
		h := &hanging{interrupt, make(chan struct{})}
		var out, errs bytes.Buffer
		w := &world{in: h, out: &out, err: &errs, getenv: func(string) string { return "" }, now: reporttest.Now, zone: time.UTC}
		if code := w.run(ctx, []string{"procmon-report", command, "--index", to, "-"}); code != 1 || !strings.Contains(errs.String(), "context canceled") {
			t.Errorf("%s: exit %d, %q %q", command, code, out.String(), errs.String())
		}
		close(h.until)
	}
}
