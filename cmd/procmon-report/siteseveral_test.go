package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"procmon/report/reporttest"
)

// nodeIndex makes the index of a host, which ran a program of its own name in the job 77.
func nodeIndex(t *testing.T, dir, host string) string {
	t.Helper()
	path := filepath.Join(dir, host+".db")
	reporttest.Append(t, path, host, reporttest.Run{
		At: reporttest.Now.Add(-3600e9), PID: 5, User: "alice", UID: 1001, Exe: "/bin/of-" + host, Args: []string{"of-" + host},
		Job: reporttest.SlurmJob("77", "77", "0", "alice", "chem"),
	}.Record())
	return path
}

// Indexes are looked up for each page: they appear, leave, and break, and pages go on.
func TestSiteOfADirectory(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := newSite(dir)
	s.logger = slog.New(slog.NewTextHandler(&log, nil))
	shows := func(when string, code int, has []string, not ...string) {
		t.Helper()
		for _, address := range []string{"/?by=executable", "/job?id=77"} {
			w := visitSite(t, s, address)
			if w.Code != code {
				t.Fatalf("%s: %s: %d: %.200s", when, address, w.Code, w.Body)
			}
			for _, text := range has {
				if !strings.Contains(w.Body.String(), text) {
					t.Errorf("%s: %s lacks %s", when, address, text)
				}
			}
			for _, text := range append(not, dir) {
				if strings.Contains(w.Body.String(), text) {
					t.Errorf("%s: %s has %s", when, address, text)
				}
			}
		}
	}
	shows("empty", 500, nil)
	nodeIndex(t, dir, "n1")
	shows("one", 200, []string{"of-n1"}, "left out")
	n2 := nodeIndex(t, dir, "n2")
	shows("two", 200, []string{"of-n1", "of-n2"}, "left out")
	if err := os.WriteFile(filepath.Join(dir, "n3.db"), []byte(strings.Repeat("no index", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	shows("one is broken", 200, []string{"of-n1", "of-n2", "1 of 3 indexes was left out"})
	if n := strings.Count(log.String(), "n3.db"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	for _, name := range []string{n2, n2 + "-wal", n2 + "-shm", filepath.Join(dir, "n3.db")} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	nodeIndex(t, dir, "n3")
	shows("another one", 200, []string{"of-n1", "of-n3"}, "of-n2", "left out")
}

func TestSiteOfSeveralAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := newSite(nodeIndex(t, dir, "n1"), nodeIndex(t, dir, "n2"))
	var visitors sync.WaitGroup
	for i := range 2 * pagesAsked {
		visitors.Go(func() {
			w := visitSite(t, s, []string{"/?by=executable", "/job?id=77", "/coverage?by=" + fmt.Sprint(i)}[i%3])
			if w.Code != 200 || !strings.Contains(w.Body.String(), "n2") {
				t.Errorf("%d: %.200s", w.Code, w.Body)
			}
		})
	}
	visitors.Wait()
}
