package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{fmt.Errorf("writing: %w", errEnough), 0},
		{errors.Join(errEnough, nil), 0},
		{errors.Join(errEnough, errors.New("something")), 1},
		{&net.OpError{Op: "write", Net: "unix", Err: syscall.EPIPE}, 1}, // of a daemon
		{errors.New("something"), 1},
		{fmt.Errorf("%w: 5", report.ErrNoJob), 1},
		{fmt.Errorf("index x: %w", index.ErrDamaged), 1},
		{usagef("no"), 2},
		{fmt.Errorf("outer: %w", &report.UnknownError{What: "column", Name: "x"}), 2},
		{fmt.Errorf("%w: range", report.ErrQuery), 2},
		{fmt.Errorf("index x: %w", index.ErrNone), 3},
		{fmt.Errorf("index x: %w", index.ErrNewer), 3},
		{fmt.Errorf("index x: %w", index.ErrOlder), 3},
		{fmt.Errorf("index x: %w", fs.ErrPermission), 3},
		{hint(fmt.Errorf("index x: %w", index.ErrNone)), 3},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.want)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	var stderr bytes.Buffer
	w := &world{out: io.Discard, err: &stderr, getenv: os.Getenv, now: reporttest.Now, zone: time.UTC}
	if code := w.run(t.Context(), []string{"procmon-report", "--since", "\x1b[2Jnew\nline"}); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(stderr.String(), "\x1b") || strings.Count(stderr.String(), "\n") != 2 {
		t.Errorf("%q", stderr.String())
	}
}

func TestOutputFile(t *testing.T) {
	t.Setenv("PROCMON_INDEX_PATH", reporttest.Small(t))
	dir := t.TempDir()
	path := filepath.Join(dir, "report.csv")
	report := func(args ...string) (int, string) {
		var stderr bytes.Buffer
		w := &world{out: io.Discard, err: &stderr, getenv: os.Getenv, now: reporttest.Now, zone: time.UTC, terminal: 80}
		return w.run(t.Context(), append([]string{"procmon-report", "--by-user"}, args...)), stderr.String()
	}

	if code, said := report("--output", path); code != 0 || said != "" {
		t.Fatalf("exit %d: %s", code, said)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != 0o640 {
		t.Errorf("mode %v, error %v", st.Mode(), err)
	}
	whole, _ := os.ReadFile(path)
	if bytes.Contains(whole, []byte("\x1b")) || !bytes.Contains(whole, []byte("Written")) {
		t.Errorf("a file is no terminal: %s", whole)
	}

	if code, _ := report("--output", path, "--sort", "nothing"); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, whole) {
		t.Error("a failed report changed the file")
	}

	if err := errors.Join(os.Chmod(path, 0o604), os.Symlink("report.csv", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	if code, said := report("--output", filepath.Join(dir, "link"), "--format", "json"); code != 0 {
		t.Errorf("exit %d: %s", code, said)
	}
	now, _ := os.ReadFile(path)
	if st, _ := os.Stat(path); st.Mode() != 0o604 || !bytes.HasPrefix(now, []byte("{")) {
		t.Errorf("through a link: mode %v, %.20q", st.Mode(), now)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".procmon-report-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if code, said := report("--output", filepath.Join(dir, "none", "x")); code != exitFailed || !strings.Contains(said, "no such file") {
		t.Errorf("exit %d: %s", code, said)
	}
}

// A device or a pipe is written to, not replaced by a file.
func TestOutputPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes here: ", err)
	}
	read := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(pipe)
		read <- string(b)
	}()
	if err := toFile(pipe, func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(pipe); err != nil || st.Mode().Type() != fs.ModeNamedPipe {
		t.Fatalf("the pipe became %v, error %v", st.Mode(), err)
	}
	if got := <-read; got != "hello" {
		t.Errorf("read %q", got)
	}
}

func TestSilentHostsAreNamed(t *testing.T) {
	path := reporttest.Small(t) // its writers were there at Now
	for after, want := range map[time.Duration]int{time.Minute: 0, time.Hour: 2} {
		var stdout, stderr bytes.Buffer
		w := &world{out: &stdout, err: &stderr, getenv: os.Getenv, now: reporttest.Now.Add(after), zone: time.UTC}
		if code := w.run(t.Context(), []string{"procmon-report", "coverage", "--index", path}); code != 0 {
			t.Fatalf("exit %d: %s", code, stderr.String())
		}
		if got := strings.Count(stdout.String(), "wrote last at 2026-11-22 14:30:00 UTC"); got != want {
			t.Errorf("after %s %d hosts are silent, want %d:\n%s", after, got, want, stdout.String())
		}
	}
}

func TestColourNeedsATerminalThatWantsIt(t *testing.T) {
	t.Setenv("PROCMON_INDEX_PATH", reporttest.Small(t))
	for _, c := range []struct {
		name     string
		terminal int
		env      map[string]string
		want     bool
	}{
		{"terminal", 80, nil, true},
		{"pipe", 0, nil, false},
		{"NO_COLOR", 80, map[string]string{"NO_COLOR": "1"}, false},
		{"empty NO_COLOR", 80, map[string]string{"NO_COLOR": ""}, true},
		{"dumb", 80, map[string]string{"TERM": "dumb"}, false},
	} {
		var stdout bytes.Buffer
		w := &world{
			out: &stdout, err: io.Discard, now: reporttest.Now, zone: time.UTC, terminal: c.terminal,
			getenv: func(name string) string { return onlyIndex(name) + c.env[name] },
		}
		w.run(t.Context(), []string{"procmon-report"})
		if got := strings.Contains(stdout.String(), "\x1b["); got != c.want {
			t.Errorf("%s: colour %v", c.name, got)
		}
	}
}
