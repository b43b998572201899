package bpf

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// bytesOf gives a value as the programs write it.
func bytesOf[T any](v T) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&v)), int(unsafe.Sizeof(v))))
}

// sample is a record of an execve as the programs make it.
func sample(change func(e *captureExecRecord)) []byte {
	args, env := "gmx\x00mdrun\x00", "PATH=/bin\x00SLURM_JOB_ID=7\x00"
	exe, cwd := "/opt/gmx/bin/gmx", "/home/a"
	var groups []byte
	for _, g := range []struct {
		hierarchy uint32
		path      string
	}{{4, "/slurm/uid_1001/job_7/step_0"}, {0, "/system.slice"}} {
		groups = append(binary.LittleEndian.AppendUint32(groups, g.hierarchy), g.path+"\x00"...)
	}
	e := captureExecRecord{
		Flags: execOwned, Ppid: 40, Sid: 39, Tty: 0x8801, Uid: 1001, Euid: 1001, Gid: 100, Loginuid: procmon.NoUID, Argc: 2, MntNs: 5, PidNs: 6,
		ArgsBytes: uint32(len(args)), EnvBytes: uint32(len(env)), Args: uint32(len(args)), Env: uint32(len(env)),
		Exe: uint32(len(exe)), Cwd: uint32(len(cwd)), Cgroups: uint32(len(groups)), Ancestors: 1,
	}
	e.Head = captureHead{Kind: kindExec, Cpu: 1, Time: 70e9, Run: captureRunId{Start: 60_123_456_789, Exec: 70e9, Pid: 42}}
	e.Owner = captureRunId{Start: 50e9, Exec: 51e9, Pid: 40}
	e.Before.Cpu, e.Before.User = 5e6, 4e6
	copy(e.Comm[:], "gmx")
	if change != nil {
		change(&e)
	}
	b := append(bytesOf(e), args+env+exe+cwd...)
	b = append(b, groups...)
	up := captureAncestor{Start: 50e9, Pid: 40, Uid: 0}
	copy(up.Comm[:], "slurmstepd")
	return append(b, bytesOf(up)...)
}

func testDecoder() *decoder {
	keep := func(env []byte) []byte { // as a filter would
		i := bytes.Index(env, []byte("SLURM"))
		return bytes.Clone(env[max(i, 0):])
	}
	return newDecoder("boot", keep, func() map[uint32]hierarchy {
		return parseHierarchies([]byte("4:freezer:/\n1:name=systemd:/x:y\n0::/\nbad\n"))
	})
}

func TestExec(t *testing.T) {
	x, err := testDecoder().exec(sample(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &procmon.Process{
		Run: procmon.RunID{Process: procmon.ProcessID{PID: 42, Start: 6012}, Exec: 70e9}, Boot: "boot",
		PPID: 40, SID: 39, TTY: 0x8801, UID: 1001, EUID: 1001, GID: 100, LoginUID: procmon.NoUID, MountNS: 5, PIDNS: 6,
		Comm: "gmx", Exe: "/opt/gmx/bin/gmx", Cwd: "/home/a", Args: []byte("gmx\x00mdrun\x00"), ArgsBytes: 10, ArgsCount: 2,
		Env: []byte("SLURM_JOB_ID=7\x00"), EnvBytes: 25, Read: 70e9,
		Owner:   procmon.RunID{Process: procmon.ProcessID{PID: 40, Start: 5000}, Exec: 51e9},
		Before:  procmon.Counters{CPU: 5 * time.Millisecond, User: 4 * time.Millisecond},
		Cgroups: []procmon.Cgroup{{Hierarchy: 4, Controllers: "freezer", Path: "/slurm/uid_1001/job_7/step_0"}, {Path: "/system.slice"}},
	}
	if diff := cmp.Diff(want, x.process); diff != "" {
		t.Errorf("process (-want +got):\n%s", diff)
	}
	chain := []procmon.Ancestor{{ID: procmon.ProcessID{PID: 40, Start: 5000}, Comm: "slurmstepd"}}
	if diff := cmp.Diff(chain, x.chain); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
}

func TestExecSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *captureExecRecord)
		want   procmon.Missing
		cut    bool
	}{
		{"arguments", func(e *captureExecRecord) { e.Flags |= execNoArgs }, procmon.MissingArgs, false},
		{"environment", func(e *captureExecRecord) { e.Flags |= execNoEnv }, procmon.MissingEnv, false},
		{"a long environment", func(e *captureExecRecord) { e.EnvBytes = 1 << 20 }, 0, true},
		{"a long path", func(e *captureExecRecord) { e.Flags |= execExeCut }, procmon.MissingExe, false},
		{"a long directory", func(e *captureExecRecord) { e.Flags |= execCwdCut }, procmon.MissingCwd, false},
		{"many cgroups", func(e *captureExecRecord) { e.Flags |= execCgroupCut }, procmon.MissingCgroup, false},
	} {
		x, err := testDecoder().exec(sample(c.change))
		if err != nil || x.process.Missing != c.want || x.envCut != c.cut {
			t.Errorf("%s: missing %v, cut %v, error %v", c.name, x.process.Missing.Names(), x.envCut, err)
		}
	}
}

// A hierarchy that was mounted after the start is looked up; one that is not
// known then either makes the cgroups incomplete.
func TestCgroupsOfANewHierarchy(t *testing.T) {
	asked := 0
	d := newDecoder("boot", bytes.Clone, func() map[uint32]hierarchy {
		asked++
		if asked == 1 {
			return map[uint32]hierarchy{}
		}
		return map[uint32]hierarchy{4: {"freezer"}}
	})
	b := append(binary.LittleEndian.AppendUint32(nil, 4), "/x\x00"...)
	groups, ok := d.cgroups(b)
	if diff := cmp.Diff([]procmon.Cgroup{{Hierarchy: 4, Controllers: "freezer", Path: "/x"}}, groups); diff != "" || !ok || asked != 2 {
		t.Errorf("ok %v, asked %d (-want +got):\n%s", ok, asked, diff)
	}
	if _, ok := d.cgroups(append(binary.LittleEndian.AppendUint32(nil, 9), "/x\x00"...)); ok {
		t.Error("a hierarchy that nobody knows is no evidence")
	}
}

func TestEnd(t *testing.T) {
	o := captureOver{Flags: runWaited | runRSSBound | runUntold, Wait: 0x300, Cpu: 3, Last: 9e9, Used: captureCounters{Cpu: 10e6, User: 3e6, System: 1e6, Read: 1, Write: 2, Rss: 4}}
	e := o.end(10e9, procmon.RunID{Exec: 1})
	u := e.Over.Usage
	if e.Kind != procmon.EventOver || e.Time != 10e9 || e.Over.Ended != 9e9 || !e.Over.Waited || !e.Over.Untold || e.Over.CPU != 3 || e.Over.Wait != 0x300 {
		t.Errorf("%+v %+v", e, e.Over)
	}
	// The ticks only say how the exact time is split.
	if u.CPU() != 10*time.Millisecond || u.User != 7500*time.Microsecond || u.MaxRSS%4096 != 0 || u.MaxRSS == 0 || !u.RSSBound || u.Read != 1 || u.Write != 2 {
		t.Errorf("%+v", u)
	}
}

func TestPowerOfTwo(t *testing.T) {
	for n, want := range map[int]int{1: 4096, 4096: 4096, 4097: 8192, 16 << 20: 16 << 20, 17 << 20: 32 << 20} {
		if got := powerOfTwo(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	d := testDecoder()
	for i := range 3 * maxShared {
		d.text(binary.LittleEndian.AppendUint32(nil, uint32(i)))
	}
	d.text([]byte(strings.Repeat("x", maxSharedText+1)))
	if len(d.texts) > maxShared {
		t.Errorf("%d texts", len(d.texts))
	}
}

// The kernel wrote the record, but what a user put into it may be anything.
func FuzzExec(f *testing.F) {
	f.Add(sample(nil))
	f.Add(sample(func(e *captureExecRecord) { e.Args = 1 << 31 }))
	f.Add(sample(nil)[:100])
	d := testDecoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := d.exec(b)
		if err == nil && len(x.chain) > procmon.MaxAncestors {
			t.Errorf("%d ancestors", len(x.chain))
		}
	})
}

func FuzzParseHierarchies(f *testing.F) {
	f.Add([]byte("4:freezer:/\n0::/a b:c\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { parseHierarchies(b) })
}
