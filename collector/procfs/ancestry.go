package procfs

import (
	"bytes"

	"procmon"
)

// Ancestry knows the processes above a process without reading them again: it
// is told of every execve, fork and exit, and asks /proc only for what it was
// not told. It is not safe for concurrent use.
type Ancestry struct {
	read    func(pid int32) (*procmon.Process, error)
	members map[int32]*member
}

type member struct {
	procmon.Ancestor
	ppid   int32
	titled procmon.Ticks // start of the child for which the title was last read
}

// maxTitle is how much of the arguments of root's processes is kept: enough
// for the title of a scheduler's daemon.
const maxTitle = 128

// NewAncestry makes an empty Ancestry that reads unknown processes by read.
func NewAncestry(read func(pid int32) (*procmon.Process, error)) *Ancestry {
	return &Ancestry{read: read, members: map[int32]*member{}}
}

// maxMembers bounds what is remembered where no exits are told, as of processes
// that were forked only, of which a source that keeps books tells nothing.
const maxMembers = 1 << 15

// Exec notes a process as it is now.
func (a *Ancestry) Exec(p *procmon.Process) { a.note(p) }

func (a *Ancestry) note(p *procmon.Process) *member {
	m := &member{ppid: p.PPID, Ancestor: procmon.Ancestor{
		ID: p.Run.Process, UID: p.UID, Comm: p.Comm, Exe: p.Exe, Cgroups: p.Cgroups,
	}}
	m.setTitle(p)
	if len(a.members) >= maxMembers {
		clear(a.members)
	}
	a.members[m.ID.PID] = m
	return m
}

func (m *member) setTitle(p *procmon.Process) {
	if p.UID == 0 {
		m.Args = bytes.Clone(p.Args[:min(len(p.Args), maxTitle)])
	}
}

// Fork notes a child that shares its parent's image.
func (a *Ancestry) Fork(parent, child procmon.ProcessID) {
	if old := a.members[child.PID]; old != nil && old.ID.Same(child) {
		return // its execve was told first, from another CPU
	}
	m, ok := a.members[parent.PID]
	if !ok {
		delete(a.members, child.PID) // whoever had that pid before is gone
		return
	}
	c := *m
	c.ID, c.ppid = child, parent.PID
	a.members[child.PID] = &c
}

// Exit forgets a process.
func (a *Ancestry) Exit(pid int32) { delete(a.members, pid) }

// Clear forgets every process: after a loss, what was not told would be wrong.
func (a *Ancestry) Clear() { clear(a.members) }

// Len is the number of processes that are remembered.
func (a *Ancestry) Len() int { return len(a.members) }

// Of gives the ancestors of p, nearest first, MaxAncestors at most. It ends
// early where a parent can't be found any more.
func (a *Ancestry) Of(p *procmon.Process) []procmon.Ancestor {
	var up []procmon.Ancestor
	child := member{Ancestor: procmon.Ancestor{ID: p.Run.Process}, ppid: p.PPID}
	for len(up) < procmon.MaxAncestors && child.ppid > 0 {
		m := a.parent(&child, len(up) > 0)
		if m == nil {
			break
		}
		if up == nil {
			up = make([]procmon.Ancestor, 0, 8)
		}
		a.retitle(m, p)
		up = append(up, m.Ancestor)
		child = *m
	}
	return up
}

// Complete fills in what is known of the processes above p, nearest first, of
// which the ids, users and names are given.
func (a *Ancestry) Complete(p *procmon.Process, chain []procmon.Ancestor) {
	for i := range chain {
		up := &chain[i]
		m := a.members[up.ID.PID]
		if m == nil || !m.ID.Same(up.ID) || m.Comm != up.Comm {
			q, err := a.read(up.ID.PID)
			if err != nil || !q.Run.Process.Same(up.ID) {
				continue
			}
			m = a.note(q)
			m.Comm = up.Comm // it may have been renamed since: then it was the same all the same
		}
		a.retitle(m, p)
		up.Exe, up.Args, up.Cgroups = m.Exe, m.Args, m.Cgroups
	}
}

// retitle reads the arguments of root's process anew for a user's process below
// it: a scheduler's daemon writes the job there some time after its own execve.
// Once a second is enough, since it does so before it starts the job's first
// process.
func (a *Ancestry) retitle(m *member, below *procmon.Process) {
	start := below.Run.Process.Start
	if m.UID != 0 || below.UID == 0 || m.titled != 0 && start < m.titled+procmon.TicksPerSecond {
		return
	}
	m.titled = max(start, 1)
	if p, err := a.read(m.ID.PID); err == nil && p.Run.Process.Same(m.ID) {
		m.setTitle(p)
	}
}

// parent finds the parent of a process. What was noted of a process's parent
// may be old: it is adopted by another when its parent ends, so an ancestor
// whose parent is gone is asked again.
func (a *Ancestry) parent(child *member, again bool) *member {
	if m := a.find(child.ppid, child.ID.Start); m != nil {
		return m
	}
	if !again {
		return nil
	}
	p, err := a.read(child.ID.PID)
	if err != nil || !p.Run.Process.Same(child.ID) || p.PPID == child.ppid {
		return nil
	}
	if m := a.members[child.ID.PID]; m != nil {
		m.ppid = p.PPID
	}
	return a.find(p.PPID, child.ID.Start)
}

// find gives the process of a pid that is no younger than its child.
func (a *Ancestry) find(pid int32, child procmon.Ticks) *member {
	older := func(start procmon.Ticks) bool { return child == 0 || start <= child+2 }
	if m := a.members[pid]; m != nil && older(m.ID.Start) {
		return m
	}
	p, err := a.read(pid)
	if err != nil || !older(p.Run.Process.Start) {
		return nil
	}
	m := a.note(p)
	if p.Missing&procmon.MissingExe != 0 && p.ArgsBytes == 0 && pid != 1 {
		// A leader that ended before its threads: no exit of it will be told.
		delete(a.members, pid)
	}
	return m
}
