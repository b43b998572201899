package appmap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// TestCrowdedDirectories: however many entries a directory has, few are opened.
func TestCrowdedDirectories(t *testing.T) {
	const env = "/home/u/env"
	root := t.TempDir()
	dir := filepath.Join(root, env, "conda-meta")
	site := filepath.Join(root, env, "lib/python3.11/site-packages")
	for _, d := range []string{dir, site} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 * maxTreeOpens {
		if err := os.WriteFile(fmt.Sprintf("%s/p%06d-1.json", dir, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 * maxTreeOpens {
		if err := os.Mkdir(fmt.Sprintf("%s/p%06d-1.dist-info", site, i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := newMapper(t, Config{Root: root})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if got := m.Identify(ctx, process(env+"/bin/tool")); got.Name != "" {
		t.Errorf("%+v", got)
	}
	if c.opens > 2*maxTreeOpens+64 || ctx.Err() != nil {
		t.Errorf("%d opens, %v", c.opens, ctx.Err())
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
