package appmap

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestKnownAnswersOnceAsked(t *testing.T) {
	m, err := New(Config{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p := process("/opt/apps/GROMACS/2023.3/bin/gmx", "gmx", "mdrun")
	if app, ok := m.Known(p); ok {
		t.Errorf("known before it was asked: %+v", app)
	}
	want := m.Identify(context.Background(), p)
	if got, ok := m.Known(p); !ok || got != want {
		t.Errorf("known %+v, %v, want %+v", got, ok, want)
	}
	other := *p
	other.UID++ // whose permissions are others
	if app, ok := m.Known(&other); ok {
		t.Errorf("known for another user: %+v", app)
	}
}

func BenchmarkKnown(b *testing.B) {
	m, err := New(Config{Root: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	p := process("/home/u/bin/static", "/home/u/bin/static", "--run=0000001-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
	p.Env = []byte("SLURM_JOB_ID=1\x00SLURM_STEP_ID=0\x00SLURM_CLUSTER_NAME=c\x00LOADEDMODULES=a/1:b/2\x00EBROOTGROMACS=/x\x00")
	m.Identify(context.Background(), p)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Known(p); !ok {
			b.Fatal("not known")
		}
	}
}

// TestReplacedProgramIsNamedAgain: an answer stands for the file it was of. It
// is looked at again after a while, and named again when it is another one.
func TestReplacedProgramIsNamedAgain(t *testing.T) {
	const env = "/opt/conda/envs/x"
	root := rootOf(t, map[string]string{
		env + "/bin/tool":              "",
		env + "/conda-meta/t-1-0.json": `{"name":"t","version":"1","files":["bin/tool"]}`,
	})
	now := time.Unix(1000, 0)
	m := newMapper(t, Config{Root: root, Now: func() time.Time { return now }})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	p := process(env + "/bin/tool")
	named := func(want string) {
		t.Helper()
		if got := m.Identify(context.Background(), p); got.Version != want {
			t.Errorf("version %q, want %q", got.Version, want)
		}
	}
	named("1")
	c.opens = 0
	now = now.Add(keepUnseen)
	if _, ok := m.Known(p); ok {
		t.Error("known though nobody looked at the file for long")
	}
	named("1")
	if _, ok := m.Known(p); !ok || c.opens > 0 {
		t.Errorf("the same file: known %v after %d opens", ok, c.opens)
	}
	replace(t, filepath.Join(root, env, "bin/tool"), "new")
	replace(t, filepath.Join(root, env, "conda-meta/t-1-0.json"), `{"name":"t","version":"2","files":["bin/tool"]}`)
	named("1") // not looked at yet
	now = now.Add(keepUnseen)
	named("2")
}

// replace puts a new file in an old one's place, as package managers do.
func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}
