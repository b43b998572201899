package appmap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon"
)

const mountTable = `21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:25 / /apps rw shared:2 - nfs4 server:/apps rw
31 30 8:2 / /apps/local rw - xfs /dev/sdb rw
32 21 0:26 / /cvmfs/soft\040ware rw - fuse cvmfs2 rw
33 21 0:27 / /scratch rw master:1 propagate_from:2 - lustre mgs@tcp:/fs rw
34 21 0:28 / /home rw - autofs systemd-1 rw
35 34 0:29 / /home rw - fuse.sshfs host: rw
broken line
36 21 0:30 / /broken rw -
`

func TestMountsTellNetworkFilesystems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(file, []byte(mountTable), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &mounts{table: file, now: time.Now}
	for name, want := range map[string]bool{
		"/usr/bin/x": false, "/apps": true, "/apps/x/1.2/bin/x": true, "/apps/local/x": false, "/appsx/y": false,
		"/cvmfs/soft ware/x": true, "/scratch/u": true, "/home/u/x": true, "/broken/x": false,
	} {
		if got := m.remote(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	none := &mounts{table: filepath.Join(t.TempDir(), "none"), now: time.Now}
	if none.remote("/apps/x") || (*mounts)(nil).remote("/apps/x") {
		t.Error("without a table everything is local")
	}
}

func TestPace(t *testing.T) {
	now := time.Unix(100, 0)
	p := newPace(2, 3, func() time.Time { return now })
	took := func() (n int) {
		for p.take() {
			n++
		}
		return n
	}
	if n := took(); n != 3 {
		t.Errorf("%d at once, want 3", n)
	}
	now = now.Add(time.Second)
	if n := took(); n != 2 {
		t.Errorf("%d after a second, want 2", n)
	}
	now = now.Add(time.Hour)
	if n := took(); n != 3 {
		t.Errorf("%d after an hour, want 3", n)
	}
	now = now.Add(-time.Hour) // a clock that was set back
	if n := took(); n != 0 {
		t.Errorf("%d after the clock was set back", n)
	}
}

// counting counts what is asked of a filesystem.
type counting struct {
	beneath
	opens, lists, stats int
}

func (c *counting) stat(dir, name string) (os.FileInfo, error) {
	c.stats++
	return c.beneath.stat(dir, name)
}

func (c *counting) open(dir, name string, limit int64) (*os.File, error) {
	c.opens++
	return c.beneath.open(dir, name, limit)
}

func (c *counting) openDir(dir string) (*os.File, error) {
	c.lists++
	return c.beneath.openDir(dir)
}

func remoteMapper(t *testing.T, files map[string]string, now func() time.Time) (*Mapper, *counting) {
	t.Helper()
	table := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(table, []byte(mountTable), 0o644); err != nil {
		t.Fatal(err)
	}
	m := newMapper(t, Config{Root: rootOf(t, files), Mounts: table, Now: now})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	return m, c
}

// TestNetworkFilesystemsAreSpared: no directory of one is listed, a path that
// says all is not looked behind, and a conda environment is found without.
func TestNetworkFilesystemsAreSpared(t *testing.T) {
	env := "apps/conda/envs/x"
	m, c := remoteMapper(t, map[string]string{
		env + "/conda-meta/history":            "==> 2024-01-01 <==\n+conda-forge/linux-64::tool-1.2-h1_0\n+defaults::gone-1.0-0\n-defaults::gone-1.0-0\n",
		env + "/conda-meta/tool-1.2-h1_0.json": `{"name":"tool","version":"1.2","files":["bin/mytool"]}`,
		"apps/bwa/0.7.17/.spack/spec.json":     `{"spec":{"nodes":[{"name":"other","version":"1"}]}}`,
	}, nil)
	if got := m.Identify(context.Background(), process("/apps/bwa/0.7.17/bin/bwa")); got.Name != "BWA" || got.Version != "0.7.17" || c.opens > 0 {
		t.Errorf("%+v by %d opens", got, c.opens)
	}
	if got := m.Identify(context.Background(), process("/"+env+"/bin/mytool")); got.Name != "tool" || got.Version != "1.2" {
		t.Errorf("conda: %+v", got)
	}
	m.Identify(context.Background(), process("/apps/unheard-of/bin/thing"))
	if c.lists != 0 || c.stats > 0 {
		t.Errorf("%d directories were listed, %d looked at", c.lists, c.stats)
	}
}

// TestServersAreNotStormed: however many programs start, opens on network
// filesystems are few; the names come when there is leave again.
func TestServersAreNotStormed(t *testing.T) {
	now := time.Unix(1000, 0)
	m, c := remoteMapper(t, map[string]string{
		"apps/z/.spack/spec.json": `{"spec":{"nodes":[{"name":"octave","version":"8.2.0"}]}}`,
	}, func() time.Time { return now })
	for i := range 1000 {
		m.Identify(context.Background(), process("/apps/y"+strings.Repeat("a", i%50)+"/bin/p"+strings.Repeat("b", i/50)))
	}
	if c.opens > remoteBurst+1 {
		t.Errorf("%d opens", c.opens)
	}
	p := process("/apps/z/bin/prog")
	if got := m.Identify(context.Background(), p); got.Kind != procmon.KindUnknown {
		t.Errorf("without leave: %+v", got)
	}
	now = now.Add(time.Minute)
	if got := m.Identify(context.Background(), p); got.Version != "8.2.0" {
		t.Errorf("with leave again: %+v", got)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(mountTable))
	f.Fuzz(func(_ *testing.T, data []byte) {
		parseMounts(data)
		parseHistory(data)
	})
}
