package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"time"
	"unsafe"

	"procmon"
)

// layout numbers what program/records.h says. Pinned maps of another layout are
// not taken over.
const layout = "1"

// The kinds of record, their flags, and those of a run.
const (
	kindExec   = 1
	kindExited = 2
	kindOver   = 3

	execDeleted   = 1
	execNoArgs    = 2
	execNoEnv     = 4
	execOwned     = 8
	execOwnerOver = 16
	execExeCut    = 32
	execCwdCut    = 64
	execCgroupCut = 128
	execUnbooked  = 256

	runWaited   = 1
	runOver     = 2
	runUntold   = 4
	runRSSBound = 8
)

// ErrFormat is wrapped by errors of records that are not as the programs write
// them.
var ErrFormat = errors.New("unexpected format")

// take reads a value of the programs from the beginning of b.
func take[T any](b []byte) (v T, rest []byte, ok bool) {
	size := int(unsafe.Sizeof(v))
	if len(b) < size {
		return v, b, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), size), b)
	return v, b[size:], true
}

// decoder turns records into events. It remembers texts that many runs share.
// It is not safe for concurrent use.
type decoder struct {
	boot        string
	keepEnv     func([]byte) []byte
	hierarchies map[uint32]hierarchy
	refresh     func() map[uint32]hierarchy // asked when a hierarchy is not known
	texts       map[string]string
	groups      map[string][]procmon.Cgroup
}

// hierarchy is what a cgroup hierarchy's number stands for.
type hierarchy struct{ controllers string }

// Bounds of each of a decoder's memories; a full one is begun anew.
const (
	maxShared     = 4096
	maxSharedText = 1024
)

func newDecoder(boot string, keepEnv func([]byte) []byte, refresh func() map[uint32]hierarchy) *decoder {
	return &decoder{
		boot: boot, keepEnv: keepEnv, refresh: refresh, hierarchies: refresh(),
		texts: map[string]string{}, groups: map[string][]procmon.Cgroup{},
	}
}

func (d *decoder) text(b []byte) string {
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(b) > maxSharedText {
		return s
	}
	if len(d.texts) >= maxShared {
		clear(d.texts)
	}
	d.texts[s] = s
	return s
}

func (id captureRunId) id() procmon.RunID {
	return procmon.RunID{
		Process: procmon.ProcessID{PID: int32(id.Pid), Start: procmon.BootNS(id.Start).Ticks()},
		Exec:    procmon.BootNS(id.Exec),
	}
}

func (c *captureCounters) counters() procmon.Counters {
	return procmon.Counters{
		CPU: time.Duration(c.Cpu), User: time.Duration(c.User), System: time.Duration(c.System),
		Read: c.Read, Write: c.Write, MaxRSS: c.Rss * uint64(os.Getpagesize()),
	}
}

// usage is what a run's books say.
func (c *captureCounters) usage(flags uint32) procmon.Usage {
	now := c.counters()
	u := now.Since(procmon.Counters{})
	u.RSSBound = flags&runRSSBound != 0
	return u
}

// execution is what a record of an execve tells.
type execution struct {
	process   *procmon.Process // without its wall clock time
	chain     []procmon.Ancestor
	owner     captureRunId
	ownerOver *captureOver // nil: the owner goes on
	unbooked  bool
	envCut    bool
}

// exec decodes a record of an execve.
func (d *decoder) exec(b []byte) (*execution, error) {
	e, rest, ok := take[captureExecRecord](b)
	if !ok {
		return nil, fmt.Errorf("execve: %w: %d bytes", ErrFormat, len(b))
	}
	var parts [5][]byte
	for i, n := range [...]uint32{e.Args, e.Env, e.Exe, e.Cwd, e.Cgroups} {
		if uint64(n) > uint64(len(rest)) {
			return nil, fmt.Errorf("execve: %w: %d bytes of %d", ErrFormat, len(rest), n)
		}
		parts[i], rest = rest[:n], rest[n:]
	}
	x := &execution{unbooked: e.Flags&execUnbooked != 0, envCut: e.EnvBytes > e.Env}
	p := &procmon.Process{
		Run: e.Head.Run.id(), Boot: d.boot,
		PPID: int32(e.Ppid), SID: int32(e.Sid), TTY: int32(e.Tty), UID: e.Uid, EUID: e.Euid, GID: e.Gid, LoginUID: e.Loginuid,
		MountNS: e.MntNs, PIDNS: e.PidNs, Comm: d.text(cstring(e.Comm[:])),
		Exe: d.text(parts[2]), ExeDeleted: e.Flags&execDeleted != 0, Cwd: d.text(parts[3]),
		ArgsBytes: int(e.ArgsBytes), ArgsCount: int(e.Argc), EnvBytes: int(e.EnvBytes), Before: e.Before.counters(),
	}
	p.Read = p.Run.Exec
	if e.Flags&execOwned != 0 {
		x.owner, p.Owner = e.Owner, e.Owner.id()
		if e.Flags&execOwnerOver != 0 {
			x.ownerOver = &e.Over
		}
	}
	// Arguments and environment live as long as the run: one allocation for both.
	env := d.keepEnv(parts[1])
	kept := make([]byte, 0, len(parts[0])+len(env))
	kept = append(append(kept, parts[0]...), env...)
	p.Args, p.Env = kept[:len(parts[0]):len(parts[0])], kept[len(parts[0]):]
	p.Cgroups, ok = d.cgroups(parts[4])
	p.Missing = missing(e.Flags, ok && e.Flags&execCgroupCut == 0, len(parts[2]) > 0)
	x.process = p
	x.chain = ancestors(rest, int(e.Ancestors), d)
	return x, nil
}

// missing says which parts of a process the program could not copy.
func missing(flags uint32, cgroups, exe bool) (m procmon.Missing) {
	if flags&execNoArgs != 0 {
		m |= procmon.MissingArgs
	}
	if flags&execNoEnv != 0 {
		m |= procmon.MissingEnv
	}
	if flags&execExeCut != 0 || !exe {
		m |= procmon.MissingExe
	}
	if flags&execCwdCut != 0 {
		m |= procmon.MissingCwd
	}
	if !cgroups {
		m |= procmon.MissingCgroup
	}
	return m
}

// cgroups decodes the cgroups of a process: of those that are their hierarchy's
// root nothing is told.
func (d *decoder) cgroups(b []byte) ([]procmon.Cgroup, bool) {
	if groups, ok := d.groups[string(b)]; ok {
		return groups, true
	}
	groups, ok := []procmon.Cgroup{}, true
	for rest := b; len(rest) > 0; {
		if len(rest) < 5 {
			return groups, false
		}
		number := binary.LittleEndian.Uint32(rest)
		path, after, found := bytes.Cut(rest[4:], []byte{0})
		if !found {
			return groups, false
		}
		rest = after
		h, known := d.hierarchies[number]
		if !known { // mounted since
			d.hierarchies = d.refresh()
			h, known = d.hierarchies[number]
		}
		ok = ok && known
		groups = append(groups, procmon.Cgroup{Hierarchy: int(number), Controllers: h.controllers, Path: string(path)})
	}
	if ok && len(b) <= maxSharedText {
		if len(d.groups) >= maxShared {
			clear(d.groups)
		}
		d.groups[string(b)] = groups
	}
	return groups, ok
}

// ancestors decodes the chain above a process.
func ancestors(b []byte, n int, d *decoder) []procmon.Ancestor {
	var chain []procmon.Ancestor
	for range min(n, procmon.MaxAncestors) {
		a, rest, ok := take[captureAncestor](b)
		if !ok {
			break
		}
		b = rest
		if chain == nil {
			chain = make([]procmon.Ancestor, 0, min(n, procmon.MaxAncestors))
		}
		chain = append(chain, procmon.Ancestor{
			ID:  procmon.ProcessID{PID: int32(a.Pid), Start: procmon.BootNS(a.Start).Ticks()},
			UID: a.Uid, Comm: d.text(cstring(a.Comm[:])),
		})
	}
	return chain
}

// end makes the event of a run's end.
func (o *captureOver) end(at procmon.BootNS, id procmon.RunID) procmon.Event {
	return procmon.Event{Kind: procmon.EventOver, Time: at, Run: id, Over: &procmon.Over{
		Usage: o.Used.usage(o.Flags), Ended: procmon.BootNS(o.Last), Wait: o.Wait, Waited: o.Flags&runWaited != 0,
		Untold: o.Flags&runUntold != 0, CPU: int(o.Cpu),
	}}
}

// over is how the run stands.
func (r *captureRun) over() captureOver {
	return captureOver{Flags: r.Flags, Wait: r.Wait, Cpu: r.Cpu, Last: r.Last, Used: r.Used}
}

// parseHierarchies reads /proc/self/cgroup (cgroups(7)): a line for each
// hierarchy, "number:controllers:path".
func parseHierarchies(b []byte) map[uint32]hierarchy {
	all := map[uint32]hierarchy{}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		n := uint32(0)
		if _, err := fmt.Sscanf(f[0], "%d", &n); err != nil {
			continue
		}
		all[n] = hierarchy{f[1]}
	}
	return all
}

func cstring(b []byte) []byte {
	s, _, _ := bytes.Cut(b, []byte{0})
	return s
}

// powerOfTwo rounds a ring's size up to what the kernel takes.
func powerOfTwo(n int) int {
	n = max(n, os.Getpagesize())
	return 1 << bits.Len(uint(n-1))
}
