package jobmap

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const adText = `Arguments = "a = b"
ClusterId = 12
ProcId = 3
GlobalJobId = "schedd1.example.org#12.3#1700000000"
Owner = "alice"
AcctGroup = "physics"
Cmd = "/bin/sh \"x\""
`

func TestParseJobAd(t *testing.T) {
	for _, tt := range []struct{ name, ad, id, user string }{
		{"whole", adText, "schedd1.example.org#12.3#1700000000", "alice"},
		{"no global id", "ClusterId = 12\nProcId=3\n", "12.3", ""},
		{"any case", "CLUSTERID = 12\nprocid = 3\n", "12.3", ""},
		{"global id of another", "ClusterId = 12\nProcId = 3\nGlobalJobId = \"s#13.3#1\"\n", "12.3", ""},
		{"global id with a path", "ClusterId = 12\nProcId = 3\nGlobalJobId = \"../s#12.3#1\"\n", "12.3", ""},
		{"first of two", "ClusterId = 12\nClusterId = 13\nProcId = 3\n", "12.3", ""},
		{"an expression", "ClusterId = 1+1\nProcId = 3\n", "", ""},
		{"a name with escapes", "ClusterId = 12\nProcId = 3\nOwner = \"a\\\"b\"\n", "12.3", ""},
		{"a name with control characters", "ClusterId = 12\nProcId = 3\nOwner = \"a\x1bb\"\n", "12.3", ""},
		{"machine's ad", "MyType = \"Machine\"\nJobId = \"12.3\"\n", "", ""},
		{"empty", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var id, user string
			if f := parseJobAd([]byte(tt.ad)); f != nil {
				id, user = f.id, f.user
			}
			if id != tt.id || user != tt.user {
				t.Errorf("job %q of %q, want %q of %q", id, user, tt.id, tt.user)
			}
		})
	}
}

// pool is an execute directory with the ads of some jobs. Its owners are made
// up, so that no test needs to be root: 990 is condor's, 1001 the job's user.
type pool struct {
	*Mapper
	dir    string
	owners map[string]uint32 // by the last part of the path
}

func newPool(t *testing.T) *pool {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("job ads are read on Linux only")
	}
	dir := filepath.Join(t.TempDir(), "execute")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &pool{New(Config{CondorDir: dir}), dir, map[string]uint32{"execute": 990, "dir_70": 1001, ".job.ad": 990}}
	p.ads.owner = func(info fs.FileInfo) uint32 { return p.owners[info.Name()] }
	return p
}

// ad writes the ad of the job of starter 70.
func (p *pool) ad(t *testing.T, text string) string {
	t.Helper()
	scratch := filepath.Join(p.dir, "dir_70")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(scratch, ".job.ad")
	write(t, path, text)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func starter(pid int32, start procmon.Ticks, slot string) procmon.Ancestor {
	return procmon.Ancestor{
		ID: procmon.ProcessID{PID: pid, Start: start}, Comm: "condor_starter", Exe: "/usr/sbin/condor_starter",
		Args: []byte("condor_starter\x00-f\x00-local-name\x00slot_type_1\x00-a\x00" + slot + "\x00submit.example.org\x00"),
	}
}

func TestHTCondor(t *testing.T) {
	const slot = "memory /htcondor/_var_lib_condor_execute_slot1_1@n1"
	const global = "raw schedd1.example.org#12.3#1700000000"
	inSlot := []procmon.Ancestor{{UID: 1001, Comm: "condor_exec.exe"}, starter(70, 1, "slot1_1")}
	for _, tt := range []evidenceCase{
		{name: "v1", cgroup: slot, up: inSlot, want: "job 12.3 " + global + " step slot1_1@n1 uid 1001 by cgroup"},
		{name: "v1, old name", cgroup: "cpu,cpuacct /htcondor/condor_var_lib_condor_execute_slot1", up: inSlot, want: "job 12.3 " + global + " step slot1 uid 1001 by cgroup"},
		{name: "v2", cgroup: "/system.slice/htcondor/_var_lib_condor_execute_slot1_1@n1", up: inSlot, want: "job 12.3 " + global + " step slot1_1@n1 uid 1001 by cgroup"},
		{name: "v2, made by the job", cgroup: "/system.slice/htcondor/_var_lib_condor_execute_slot1_1@n1/x/y", up: inSlot, want: "job 12.3 " + global + " step slot1_1@n1 uid 1001 by cgroup"},
		{name: "a user's own", cgroup: "/user.slice/htcondor/_var_lib_condor_execute_slot1_1@n1", want: "none"},
		{name: "further down", cgroup: "/user.slice/user-1001.slice/htcondor/_var_lib_condor_execute_slot1_1@n1", want: "none"},
		{name: "no slot", cgroup: "memory /htcondor/_var_lib_condor_execute", up: nil, want: "none"},
		{name: "starter alone", up: inSlot, want: "job 12.3 " + global + " step slot1_1 uid 1001 by ancestor"},
		{name: "a user's starter", up: []procmon.Ancestor{{UID: 1001, ID: procmon.ProcessID{PID: 70}, Comm: "condor_starter"}}, want: "none"},
		{name: "another user's process", cgroup: slot, up: inSlot, uid: 1002, want: "none cgroup says schedd1.example.org#12.3#1700000000, ancestor says schedd1.example.org#12.3#1700000000"},
		{name: "environment says nothing", env: environ("_CONDOR_JOB_AD=/x", "_CONDOR_SLOT=slot1_1"), want: "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t)
			p.ad(t, adText)
			tt.run(t, p.Mapper)
		})
	}
}

// TestHTCondorRemembers: the ad is read once, before the job's programs can
// change it, and a process that left its starter is found by its slot.
func TestHTCondorRemembers(t *testing.T) {
	p := newPool(t)
	opened := 0
	inner := p.ads.open
	p.ads.open = func(dir, name string) (*os.File, error) { opened++; return inner(dir, name) }
	path := p.ad(t, adText)
	cgroup := "memory /htcondor/_var_lib_condor_execute_slot1_1@n1"
	first := evidenceCase{cgroup: cgroup, up: []procmon.Ancestor{starter(70, 1, "slot1_1")}, want: "job 12.3 raw schedd1.example.org#12.3#1700000000 step slot1_1@n1 uid 1001 by cgroup"}
	first.run(t, p.Mapper)
	write(t, path, "\nClusterId = 99\nProcId = 0\n")
	first.run(t, p.Mapper)
	alone := first
	alone.up = nil
	alone.run(t, p.Mapper)
	if opened != 2 { // the directory and the ad
		t.Errorf("opened %d files for three processes of one job, want 2", opened)
	}

	// The pid is used again, by another starter.
	if err := os.WriteFile(path, []byte("ClusterId = 13\nProcId = 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	next := first
	next.up, next.want = []procmon.Ancestor{starter(70, 2, "slot1_1")}, "job 13.0 raw 13.0 step slot1_1@n1 uid 1001 by cgroup"
	next.run(t, p.Mapper)
	alone.want = next.want
	alone.run(t, p.Mapper)
	for range 100 {
		p.Job(&procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{group(cgroup)}, Ancestors: next.up}, procmon.Job{})
	}
	if opened != 4 {
		t.Errorf("opened %d files for two jobs, want 4", opened)
	}
}

func TestHTCondorRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(p *pool, path string) error
	}{
		{"an ad of the job's user", func(p *pool, _ string) error { p.owners[".job.ad"] = 1001; return nil }},
		{"an ad of somebody else", func(p *pool, _ string) error { p.owners[".job.ad"] = 1002; return nil }},
		{"a pool of the job's user alone", func(p *pool, _ string) error { p.owners[".job.ad"], p.owners["execute"] = 1001, 1001; return nil }},
		{"an ad that others can write", func(_ *pool, path string) error { return os.Chmod(path, 0o666) }},
		{"a link", func(_ *pool, path string) error { return swap(path, path+".x", os.Symlink) }},
		{"a directory", func(_ *pool, path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o755)
		}},
		{"an execute directory of everybody", func(p *pool, _ string) error { return os.Chmod(p.dir, 0o777) }},
		{"no ad", func(_ *pool, path string) error { return os.Remove(path) }},
		{"a link for a directory", func(_ *pool, path string) error { return swap(filepath.Dir(path), filepath.Dir(path)+"x", os.Symlink) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t)
			if err := tt.do(p, p.ad(t, adText)); err != nil {
				t.Fatal(err)
			}
			c := evidenceCase{cgroup: "memory /htcondor/_var_lib_condor_execute_slot1_1@n1", up: []procmon.Ancestor{starter(70, 1, "slot1_1")}, want: "none"}
			c.run(t, p.Mapper)
		})
	}
}

// swap moves a file away and leaves a link to it.
func swap(from, to string, link func(old, new string) error) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return link(to, from)
}

// A child whose starter is out of sight, in a slot that the mapper has not met,
// has its parent's job.
func TestHTCondorByParent(t *testing.T) {
	parent := procmon.Job{Scheduler: "htcondor", RawID: "s#12.3#1", ID: "12.3", Step: "slot1_1@n1", UID: 1001, Evidence: procmon.EvidenceCgroup}
	parent.By[procmon.JobRawID] = procmon.EvidenceFacts
	p := procmon.Process{UID: 1001, Cgroups: []procmon.Cgroup{group("memory /htcondor/_x_slot1_1@n1")}}
	if d := cmp.Diff("job 12.3 raw s#12.3#1 step slot1_1@n1 by parent", brief(New(Config{}).Job(&p, parent))); d != "" {
		t.Errorf("job (-want +got):\n%s", d)
	}
}
