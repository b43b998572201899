package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Users see their own runs through the daemon, and can neither see more nor keep it from its work.
func TestIntegrationMine(t *testing.T) {
	f := setUp(t)
	d := startDaemon(t, f)
	ours, theirs := newTag(), newTag()
	for range 3 {
		output(t, as(t, f.alice, "/bin/true", ours))
	}
	output(t, as(t, f.bob, "/bin/true", theirs))
	d.flush()

	t.Run("files", func(t *testing.T) { closedFiles(t, d) })
	for _, suffix := range []string{"", "-wal", "-shm"} { // of a group, as where there is one for it: nobody of that group answers
		if err := os.Chown(d.index+suffix, 0, int(f.svc.gid)); err != nil {
			t.Fatal(err)
		}
	}
	report := func(a account, args ...string) (string, error) {
		out, err := as(t, a, append([]string{f.program("procmon-report"), "--socket", d.control}, args...)...).CombinedOutput()
		return string(out), err
	}
	t.Run("one's own", func(t *testing.T) {
		for a, runs := range map[account]int{f.alice: 3, f.bob: 1} {
			out, err := report(a, "--mine", "--by", "user,executable", "--format", "json")
			var said struct {
				Rows []struct {
					User string
					Runs int
				}
			}
			if err != nil || json.Unmarshal([]byte(out), &said) != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if len(said.Rows) != 1 || said.Rows[0].User != a.name || said.Rows[0].Runs != runs {
				t.Errorf("%s is told %+v, has %d runs", a.name, said.Rows, runs)
			}
		}
		if out, err := report(f.alice, "--mine", "--user", f.bob.name, "--all"); err != nil || strings.Contains(out, "true") || !strings.Contains(out, "Nothing of yours") {
			t.Errorf("%v\n%s", err, out)
		}
		if out, err := report(f.alice, "--mine", "--format", "html", "--all"); err != nil || !strings.Contains(out, "<svg") || strings.Contains(out, f.bob.name) {
			t.Errorf("%v\n%.500s", err, out)
		}
	})
	t.Run("not more", func(t *testing.T) {
		if out, err := report(f.alice, "--index", d.index); err == nil || !strings.Contains(out, "may read it") {
			t.Errorf("the index itself: %v\n%s", err, out)
		}
		for _, command := range []string{"flush", "reload", "stats"} {
			out, err := as(t, f.alice, f.program("procmond"), command, "--control-socket", d.control).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "only root") {
				t.Errorf("%s by a user: %v\n%s", command, err, out)
			}
		}
	})
	t.Run("wrong questions", func(t *testing.T) {
		if out, err := report(f.alice, "--mine", "job", "4711"); err == nil || !strings.Contains(out, "not of yours") {
			t.Errorf("%v\n%s", err, out)
		}
		for body, want := range map[string]int{"": http.StatusOK, "[": http.StatusOK, strings.Repeat("x", 1<<20): http.StatusRequestEntityTooLarge} {
			eventually(t, 20*time.Second, func() error {
				code, err := post(d.control, f.alice.uid, "mine", body)
				if err == nil && code != want {
					err = fmt.Errorf("%.20q: %d, want %d", body, code, want)
				}
				return err
			})
		}
	})
	t.Run("crowd", func(t *testing.T) { crowd(t, d) })
}

// closedFiles holds that nobody but root and the group may read what users ran.
func closedFiles(t *testing.T, d *daemon) {
	files, err := filepath.Glob(d.index + "*")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range append(files, d.lines) {
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm()&^0o640 != 0 || st.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s: %v of user %d", file, st.Mode(), st.Sys().(*syscall.Stat_t).Uid)
		}
	}
}

// dialAs connects as a user: the kernel notes who does.
func dialAs(socket string, uid uint32) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	none := ^uintptr(0)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, none, uintptr(uid), none); e != 0 {
		return nil, e
	}
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, none, 0, none); e != 0 { // this thread only
		panic(e)
	}
	return conn, err
}

// post asks as a user and gives the status.
func post(socket string, uid uint32, question, body string) (int, error) {
	conn, err := dialAs(socket, uid)
	if err != nil {
		return 0, err
	}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	resp, err := client.Post("http://procmond/"+question, "", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// crowd has one user do what it can to keep the daemon busy. The others and root go on.
func crowd(t *testing.T, d *daemon) {
	f := d.f
	refused := 0
	for range 50 { // held open without a word
		conn, err := dialAs(d.control, f.bob.uid)
		if err != nil {
			refused++
			continue
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); err != nil && !os.IsTimeout(err) {
			refused++
		}
		conn.SetReadDeadline(time.Time{})
		if refused > 2 {
			break
		}
	}
	if refused == 0 {
		t.Error("one user holds 50 connections")
	}
	began := time.Now()
	d.flush()
	if code, err := post(d.control, f.alice.uid, "mine", "{}"); err != nil || code != http.StatusOK {
		eventually(t, 20*time.Second, func() error { // only its own pause may stand in the way
			code, err = post(d.control, f.alice.uid, "mine", "{}")
			if err == nil && code != http.StatusOK {
				err = fmt.Errorf("%d", code)
			}
			return err
		})
	}
	t.Logf("beside held connections: %v", time.Since(began))

	var wg sync.WaitGroup
	var mu sync.Mutex // guards counts
	counts := map[int]int{}
	for range 4 {
		wg.Go(func() {
			for range 10 {
				code, _ := post(d.control, f.svc.uid, "mine", `{"Charts":true,"Query":{"By":["executable"],"All":true}}`)
				mu.Lock()
				counts[code]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if counts[http.StatusOK] == 0 || counts[http.StatusTooManyRequests] == 0 {
		t.Errorf("40 questions of one user were answered %v", counts)
	}
	tag := newTag()
	output(t, as(t, f.alice, "/bin/true", tag))
	d.flush()
	if rows := d.rows(tag); len(rows) != 1 {
		t.Errorf("%d runs recorded", len(rows))
	}
	if out, err := exec.CommandContext(t.Context(), f.program("procmond"), "stats", "--control-socket", d.control).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
