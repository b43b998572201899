package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/index"
	"procmon/report/reporttest"
)

// TestMainOfDrop is a process of its own where TestIntegrationDrop starts it: it drops and
// tells who its threads are then, and what it may read.
func TestMainOfDrop(t *testing.T) {
	path := os.Getenv("PROCMON_TEST_DROP")
	if path == "" {
		t.Skip("only for TestIntegrationDrop")
	}
	if err := drop(path); err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		who := ""
		for line := range strings.Lines(string(b)) {
			switch fields := strings.Fields(line); {
			case strings.HasPrefix(line, "Uid:"), strings.HasPrefix(line, "Gid:"):
				who += strings.Join(slices.Compact(fields[1:]), ",") + " "
			case strings.HasPrefix(line, "Groups:"):
				who += fmt.Sprintf("%d groups ", len(fields)-1)
			case strings.HasPrefix(line, "CapPrm:"), strings.HasPrefix(line, "CapEff:"):
				who += map[bool]string{true: "", false: "able "}[strings.Trim(fields[1], "0") == ""]
			}
		}
		if !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := r.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, shadow := os.ReadFile("/etc/shadow")
	var mem unix.Stat_t // root's when others of the same user may not look into it
	if err := unix.Stat("/proc/self/mem", &mem); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s: %d runs, shadow %v, memory of %d\n", strings.Join(all, "; "), info.Runs, shadow == nil, mem.Uid)
}

// The process that answers users may do what a member of the index's group may, while the daemon writes.
func TestIntegrationDrop(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody")
	}
	for _, c := range []struct {
		name  string
		group int
		dir   os.FileMode // of the index
		want  string
	}{
		{"a group may read it", readers, 0o750, "65534 64999 0 groups : 1 runs, shadow false, memory of 0"},
		{"only root may", 0, 0o750, "0 0"},
		{"in a closed directory", readers, 0o700, "0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			top, err := os.MkdirTemp("/tmp", "procmon-report-test-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(top) })
			dir := filepath.Join(top, "data")
			if err := errors.Join(os.Chmod(top, 0o755), os.Mkdir(dir, c.dir), os.Chown(dir, 0, c.group)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "procmon.db")
			w, err := index.Open(t.Context(), index.Options{Path: path, Host: "n1"})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := errors.Join(os.Chown(path+suffix, 0, c.group), os.Chmod(path+suffix, 0o640)); err != nil {
					t.Fatal(err)
				}
			}
			run := reporttest.Run{At: reporttest.Now, PID: 5, User: "a", UID: 1000, Exe: "/bin/a", Args: []string{"a"}}.Record()
			if err := w.Write(t.Context(), []procmon.Record{run}); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestMainOfDrop")
			cmd.Env = append(os.Environ(), "PROCMON_TEST_DROP="+path)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), c.want) || !strings.Contains(string(out), ": 1 runs") {
				t.Errorf("%v, want %s:\n%s", err, c.want, out)
			}
		})
	}
}
