package procfs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// proc is a process for tests of ancestry.
func proc(pid, ppid int32, start procmon.Ticks, comm string, uid uint32) *procmon.Process {
	p := &procmon.Process{PPID: ppid, Comm: comm, UID: uid, Args: []byte(comm + "\x00-x\x00")}
	p.Run.Process = procmon.ProcessID{PID: pid, Start: start}
	return p
}

// table is what /proc would say.
type table map[int32]*procmon.Process

func (t table) read(pid int32) (*procmon.Process, error) {
	if p := t[pid]; p != nil {
		return p, nil
	}
	return nil, ErrGone
}

func comms(up []procmon.Ancestor) []string {
	var names []string
	for _, a := range up {
		names = append(names, a.Comm)
	}
	return names
}

func TestAncestry(t *testing.T) {
	live := table{1: proc(1, 0, 1, "init", 0), 5: proc(5, 1, 50, "slurmstepd", 0)}
	for _, test := range []struct {
		name string
		tell func(a *Ancestry)
		of   *procmon.Process
		want []string
	}{
		{"read from /proc", func(*Ancestry) {}, proc(9, 5, 90, "bash", 1000), []string{"slurmstepd", "init"}},
		{"told of execs", func(a *Ancestry) { a.Exec(proc(7, 5, 70, "bash", 1000)) }, proc(9, 7, 90, "ls", 1000), []string{"bash", "slurmstepd", "init"}},
		{"a forked parent shows its parent's image", func(a *Ancestry) {
			a.Exec(proc(7, 5, 70, "bash", 1000))
			a.Fork(procmon.ProcessID{PID: 7}, procmon.ProcessID{PID: 8, Start: 80})
		}, proc(9, 8, 90, "ls", 1000), []string{"bash", "bash", "slurmstepd", "init"}},
		{"a fork told after its child's exec", func(a *Ancestry) {
			a.Exec(proc(7, 5, 70, "bash", 1000))
			a.Exec(proc(8, 7, 80, "env", 1000))
			a.Fork(procmon.ProcessID{PID: 7}, procmon.ProcessID{PID: 8, Start: 81})
		}, proc(9, 8, 90, "ls", 1000), []string{"env", "bash", "slurmstepd", "init"}},
		{"a parent that has ended", func(a *Ancestry) {
			a.Exec(proc(7, 5, 70, "bash", 1000))
			a.Exit(7)
		}, proc(9, 7, 90, "ls", 1000), nil},
		{"a pid of a parent that is younger than its child", func(a *Ancestry) {
			a.Exec(proc(7, 5, 700, "bash", 1000))
		}, proc(9, 7, 90, "ls", 1000), nil},
		{"no parent", func(*Ancestry) {}, proc(1, 0, 1, "init", 0), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := NewAncestry(live.read)
			test.tell(a)
			if diff := cmp.Diff(test.want, comms(a.Of(test.of))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAncestryAsksAgainWhoAdopted(t *testing.T) {
	live := table{1: proc(1, 0, 1, "init", 0), 8: proc(8, 1, 80, "daemon", 1000)}
	a := NewAncestry(live.read)
	a.Exec(proc(7, 1, 70, "bash", 1000))
	a.Exec(proc(8, 7, 80, "daemon", 1000))
	a.Exit(7) // 8 is init's child from now on
	if diff := cmp.Diff([]string{"daemon", "init"}, comms(a.Of(proc(9, 8, 90, "ls", 1000)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAncestryIsBounded(t *testing.T) {
	a := NewAncestry(table{}.read)
	for pid := int32(1); pid <= 100; pid++ {
		a.Exec(proc(pid, pid-1, procmon.Ticks(pid), "sh", 1000))
	}
	if n := len(a.Of(proc(101, 100, 101, "sh", 1000))); n != procmon.MaxAncestors {
		t.Errorf("%d ancestors, want %d", n, procmon.MaxAncestors)
	}
	// A circle cannot be, but must not hang either.
	a.Exec(proc(1, 2, 1, "sh", 1000))
	a.Exec(proc(2, 1, 1, "sh", 1000))
	if n := len(a.Of(proc(3, 2, 3, "sh", 1000))); n != procmon.MaxAncestors {
		t.Errorf("%d ancestors in a circle, want %d", n, procmon.MaxAncestors)
	}
	a.Clear()
	if a.Len() != 0 {
		t.Errorf("%d left after Clear", a.Len())
	}
}

func TestAncestryKeepsTitlesOfRootOnly(t *testing.T) {
	a := NewAncestry(table{}.read)
	a.Exec(proc(5, 1, 50, "slurmstepd", 0))
	a.Exec(proc(7, 5, 70, "bash", 1000))
	up := a.Of(proc(9, 7, 90, "ls", 1000))
	if len(up) != 2 || up[0].Args != nil || string(up[1].Args) != "slurmstepd\x00-x\x00" {
		t.Errorf("ancestors %+v", up)
	}
}

func TestAncestryReadsTitlesAgain(t *testing.T) {
	daemon := proc(5, 1, 50, "slurmstepd", 0)
	a := NewAncestry(table{5: daemon}.read)
	a.Exec(daemon)
	daemon.Args = []byte("slurmstepd: [7.batch]\x00") // written over its arguments after its execve
	title := func(start procmon.Ticks, uid uint32) string {
		return string(a.Of(proc(9, 5, start, "sh", uid))[0].Args)
	}
	if got := title(90, 0); got != "slurmstepd\x00-x\x00" {
		t.Errorf("for root's own process it was read again: %q", got)
	}
	if got := title(90, 1000); got != "slurmstepd: [7.batch]\x00" {
		t.Errorf("title %q", got)
	}
	daemon.Args = []byte("slurmstepd: [8.batch]\x00")
	if got := title(95, 1000); got != "slurmstepd: [7.batch]\x00" {
		t.Errorf("read twice in a second: %q", got)
	}
	if got := title(300, 1000); got != "slurmstepd: [8.batch]\x00" {
		t.Errorf("not read again after a second: %q", got)
	}
}
