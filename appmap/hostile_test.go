package appmap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon"
)

// hanging is a filesystem that answers nothing until it is released.
type hanging struct {
	beneath
	asked   chan struct{}
	release chan struct{}
}

func (h *hanging) open(string, string, int64) (*os.File, error) {
	h.asked <- struct{}{}
	<-h.release
	return nil, os.ErrNotExist
}

func (h *hanging) stat(string, string) (os.FileInfo, error) {
	_, err := h.open("", "", 0)
	return nil, err
}

func (h *hanging) openDir(string) (*os.File, error) { return h.open("", "", 0) }

// TestHangingFilesystem: those who ask it wait, others are answered by their
// paths, and nobody is left behind when it comes back.
func TestHangingFilesystem(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	h := &hanging{beneath: m.files.beneath, asked: make(chan struct{}, 1024), release: make(chan struct{})}
	m.files.beneath = h
	done := make(chan procmon.Application, maxReaders)
	for i := range maxReaders {
		go func() { done <- m.Identify(context.Background(), process(fmt.Sprintf("/hung/x%d/bin/tool", i))) }()
	}
	for range maxReaders {
		<-h.asked
	}
	if got := m.Identify(context.Background(), process("/apps/bwa/0.7.17/bwa")); got.Name != "BWA" || got.Version != "0.7.17" {
		t.Errorf("a path that says all: %+v", got)
	}
	if _, ok := m.Known(process("/apps/bwa/0.7.17/bwa")); ok {
		t.Error("an answer by the path alone is remembered")
	}
	close(h.release)
	for range maxReaders {
		if got := <-done; got.Kind != procmon.KindUnknown {
			t.Errorf("%+v", got)
		}
	}
	if n := len(m.readers); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

// hostileThings are what a user may put where metadata is expected.
var hostileThings = map[string]func(t *testing.T, file, secret string){
	"10 GB": func(t *testing.T, file, secret string) {
		write(t, file, "")
		if err := os.Truncate(file, 10<<30); err != nil {
			t.Skip("no sparse files here:", err)
		}
	},
	"a link to a secret": func(t *testing.T, file, secret string) { link(t, secret, file) },
	"a link out of the tree": func(t *testing.T, file, secret string) {
		to, err := filepath.Rel(filepath.Dir(file), secret)
		if err != nil {
			t.Fatal(err)
		}
		link(t, to, file)
	},
	"a link to itself":       func(t *testing.T, file, _ string) { link(t, filepath.Base(file), file) },
	"a link to this process": func(t *testing.T, file, _ string) { link(t, "/proc/self/environ", file) },
	"a FIFO":                 func(t *testing.T, file, _ string) { mkfifo(t, file) },
	"a link to a FIFO": func(t *testing.T, file, _ string) {
		mkfifo(t, file+".fifo")
		link(t, filepath.Base(file)+".fifo", file)
	},
	"a directory":                 func(t *testing.T, file, _ string) { mkdir(t, file) },
	"text":                        func(t *testing.T, file, _ string) { write(t, file, "bin/tool ../../../bin/tool") },
	"deep JSON":                   func(t *testing.T, file, _ string) { write(t, file, strings.Repeat(`{"files":[`, 1<<18)) },
	"no end":                      func(t *testing.T, file, _ string) { write(t, file, `{"name":"secret","files":["bin/tool","`) },
	"zeros":                       func(t *testing.T, file, _ string) { write(t, file, strings.Repeat("\x00", 1<<20)) },
	"one line, as long as it may": func(t *testing.T, file, _ string) { write(t, file, strings.Repeat("x", maxMetadata)) },
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, file string) {
	t.Helper()
	if err := os.Symlink(to, file); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// hostilePlaces are where metadata is expected of /home/u/env/bin/tool.
var hostilePlaces = []string{
	"conda-meta/tool-1-0.json", "conda-meta/other-1-0.json", ".spack/spec.json", "easybuild/tool-1.eb",
	"lib/python3.11/site-packages/other-1.dist-info/RECORD", "lib/python3.11/site-packages/tool-1.dist-info/METADATA", "bin/tool",
}

// TestHostileTrees: metadata that is not what it claims to be names nothing,
// is not opened unless it is a plain file of a sane size, and leaves nothing
// open.
func TestHostileTrees(t *testing.T) {
	secret := `{"name":"secret","version":"1","files":["bin/tool"],"spec":{"nodes":[{"name":"secret","version":"1"}]}}`
	for thing, put := range hostileThings {
		t.Run(thing, func(t *testing.T) {
			root := rootOf(t, map[string]string{
				"etc/shadow": secret,
				"home/u/env/lib/python3.11/site-packages/tool-1.dist-info/RECORD": "../../../bin/tool,,\n",
			})
			const env = "/home/u/env"
			for _, place := range hostilePlaces {
				file := filepath.Join(root, env, place)
				mkdir(t, filepath.Dir(file))
				put(t, file, filepath.Join(root, "etc/shadow"))
			}
			m := newMapper(t, Config{Root: root})
			before := openFDs()
			for _, p := range []*procmon.Process{process(env + "/bin/tool"), process("/usr/bin/python3", "python3", env+"/bin/tool"), process(env+"/bin/python3", env+"/bin/python3", "-m", "tool")} {
				p.MountNS, m.config.MountNS = 1, 1
				if got := m.Identify(context.Background(), p); got.Name != "" && got.Name != "Python" || got.Version == "1" {
					t.Errorf("%s is %+v", p.Args, got)
				}
			}
			if after := openFDs(); after != before {
				t.Errorf("%d files are open, %d were", after, before)
			}
		})
	}
}

// openFDs counts this process's open files; -1 where that can't be told.
func openFDs() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// TestCrowdedDirectories: however many entries a directory has, few are read
// and opened. PROCMON_TEST_LONG makes it a million.
func TestCrowdedDirectories(t *testing.T) {
	entries := 4 * maxTreeEntries
	if os.Getenv("PROCMON_TEST_LONG") != "" {
		entries = 1_000_000
	}
	const env = "/home/u/env"
	root := t.TempDir()
	crowd := filepath.Join(root, "home/u/crowd")
	mkdir(t, crowd)
	mkdir(t, filepath.Join(root, env))
	for _, dir := range []string{"conda-meta", "easybuild", "lib"} {
		link(t, "../crowd", filepath.Join(root, env, dir))
	}
	link(t, ".", filepath.Join(crowd, "site-packages"))
	for i := range entries {
		ending := [...]string{"-1.json", "-1.dist-info", "-1.eb"}[i%3]
		write(t, fmt.Sprintf("%s/python%07d%s", crowd, i, ending), "")
	}
	m := newMapper(t, Config{Root: root})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	began := time.Now()
	for _, exe := range []string{env + "/bin/tool", env + "/bin/other"} {
		if got := m.Identify(context.Background(), process(exe)); got.Name != "" {
			t.Errorf("%+v", got)
		}
	}
	t.Logf("%d entries: %d opens and %d lists in %v", entries, c.opens, c.lists, time.Since(began))
	if c.opens > 6*maxTreeOpens || c.lists > 32 {
		t.Errorf("%d opens and %d lists", c.opens, c.lists)
	}
}

// TestEndedContextStopsReading: a look-up that took too long opens no more.
func TestEndedContextStopsReading(t *testing.T) {
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("home/u/env/conda-meta/p%d-1.json", i)] = "{}"
	}
	m := newMapper(t, Config{Root: rootOf(t, files)})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Identify(ctx, process("/home/u/env/bin/tool"))
	if c.opens > 16 {
		t.Errorf("%d opens after the end", c.opens)
	}
}
