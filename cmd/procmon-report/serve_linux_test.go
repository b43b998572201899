package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"procmon/report/reporttest"
)

// Users of this test.
const (
	readers  = 64999
	stranger = 64998
)

// built makes the real program in a place where every user finds it, with the index below
// it that only a group may read.
func built(t *testing.T) (program, index string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir, err := os.MkdirTemp("/tmp", "procmon-report-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, index = filepath.Join(dir, "procmon-report"), filepath.Join(dir, "data", "procmon.db")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Skipf("cannot build: %v\n%s", err, out)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Dir(index), 0o755)); err != nil {
		t.Fatal(err)
	}
	reporttest.Append(t, index, "n1", reporttest.Run{At: reporttest.Now, PID: 5, User: "a", UID: 1000, Exe: "/bin/a", Args: []string{"a"}}.Record())
	files, err := filepath.Glob(index + "*") // with what SQLite keeps beside it
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := errors.Join(os.Chown(name, 0, readers), os.Chmod(name, 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	return program, index
}

func as(t *testing.T, uid uint32, groups []uint32, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: groups}}
	cmd.Dir = "/"
	return cmd
}

// The real server as a user who may read the index: it answers that user and root, nobody
// else, also through TCP, and ends in order.
func TestIntegrationServe(t *testing.T) {
	program, index := built(t)
	const python = "/usr/bin/python3" // others in PATH may be root's alone
	if _, err := os.Stat(python); err != nil {
		t.Skip("python3 asks the server: ", err)
	}
	server := as(t, nobody, []uint32{readers}, program, "serve", "--index", index, "--listen", "127.0.0.1:0", "--utc")
	said, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.Contains(line, index) {
		t.Fatalf("%q: %v", line, err)
	}
	_, address, _ := strings.Cut(line, " at ")
	address, _, _ = strings.Cut(address, ",")
	for _, c := range []struct {
		uid  uint32
		want string
	}{{nobody, "200"}, {0, "200"}, {stranger, "403"}} {
		const script = `import sys, urllib.request, urllib.error
try: print(urllib.request.urlopen(sys.argv[1]).status)
except urllib.error.HTTPError as e: print(e.code)`
		out, err := as(t, c.uid, nil, python, "-c", script, address+"?by=executable&since=2026-01-01&until=2027-01-01").CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("user %d: %s, want %s (%v)", c.uid, got, c.want, err)
		}
	}
	t.Run("in a browser", func(t *testing.T) {
		b := newBrowser(t)
		doc := b.open(t, address+"?by=executable&since=2026-01-01&until=2027-01-01#sort=executable&filter=bin", "--dump-dom")
		if rows, order := shownRows(t, doc, "rows"); fmt.Sprint(rows) != "[/bin/a]" || order["executable"] != "ascending" {
			t.Errorf("%q %v", rows, order)
		}
		b.open(t, address+"?since=2026-01-01&until=2027-01-01", "--screenshot="+artefact(t, "serve.png"))
	})
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}
