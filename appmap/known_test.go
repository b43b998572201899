package appmap

import (
	"context"
	"testing"
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
