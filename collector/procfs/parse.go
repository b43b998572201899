package procfs

import (
	"bytes"
	"strings"

	"procmon"
)

// Parser turns Raws into Processes. It remembers texts that many processes
// share, cgroups above all, so that a hundred thousand processes of one job
// hold them once. It is not safe for concurrent use.
type Parser struct {
	texts   map[string]string
	cgroups map[string][]procmon.Cgroup
}

// Bounds of each of a Parser's memories; a full one is begun anew. Longer texts
// are not remembered: few are, and users could fill memory with them.
const (
	maxShared     = 4096
	maxSharedText = 1024
)

// NewParser makes an empty Parser.
func NewParser() *Parser {
	return &Parser{texts: map[string]string{}, cgroups: map[string][]procmon.Cgroup{}}
}

// Process turns r into a Process that shares no memory with it. Run.Exec,
// Boot, Time and Ancestors are for the caller to set. A part that was read but
// can't be understood counts as missing.
func (ps *Parser) Process(r *Raw) *procmon.Process {
	p := &procmon.Process{
		UID: procmon.NoUID, EUID: procmon.NoUID, GID: procmon.NoUID, LoginUID: procmon.NoUID,
		ArgsBytes: r.ArgsBytes, ArgsCount: r.ArgsCount, Missing: r.Missing,
	}
	p.Run.Process.PID = r.PID
	// Arguments and environment live as long as the run: one allocation for both.
	kept := bytes.Clone(r.buf[:r.size[secArgs]+r.size[secEnv]])
	p.Args, p.Env = kept[:r.size[secArgs]:r.size[secArgs]], kept[r.size[secArgs]:]
	p.Exe, p.ExeDeleted = strings.CutSuffix(ps.text(r.section(secExe)), " (deleted)")
	p.Cwd = ps.text(r.section(secCwd))
	p.MountNS = ParseNamespace(string(r.section(secMountNS)))
	if p.Missing&procmon.MissingCgroup == 0 {
		ps.setCgroups(p, r.section(secCgroup))
	}
	if p.Missing&procmon.MissingStat == 0 {
		ps.setStat(p, r.section(secStat))
	}
	if p.Missing&procmon.MissingStatus == 0 {
		s, err := ParseStatus(r.section(secStatus))
		if err != nil {
			p.Missing |= procmon.MissingStatus
		}
		p.UID, p.EUID, p.GID = s.UID, s.EUID, s.GID
	}
	return p
}

// Unread is a process of which nothing is known but its pid.
func Unread(pid int32) *procmon.Process {
	p := &procmon.Process{UID: procmon.NoUID, EUID: procmon.NoUID, GID: procmon.NoUID, LoginUID: procmon.NoUID, Missing: procmon.MissingAll}
	p.Run.Process.PID = pid
	return p
}

func (ps *Parser) setStat(p *procmon.Process, b []byte) {
	s, err := ParseStat(b)
	if err != nil {
		p.Missing |= procmon.MissingStat
		return
	}
	p.Comm, p.PPID, p.SID, p.TTY, p.NoExec = s.Comm, s.PPID, s.Session, s.TTY, s.NoExec
	p.Run.Process.Start = s.Start
	p.Before = procmon.Counters{CPU: s.User + s.System, User: s.User, System: s.System}
}

func (ps *Parser) setCgroups(p *procmon.Process, b []byte) {
	if groups, ok := ps.cgroups[string(b)]; ok {
		p.Cgroups = groups
		return
	}
	groups, err := ParseCgroup(b)
	p.Cgroups = groups
	if err != nil {
		p.Missing |= procmon.MissingCgroup
		return
	}
	if len(b) > maxSharedText {
		return
	}
	if len(ps.cgroups) >= maxShared {
		clear(ps.cgroups)
	}
	ps.cgroups[string(b)] = groups
}

func (ps *Parser) text(b []byte) string {
	if s, ok := ps.texts[string(b)]; ok {
		return s
	}
	if len(b) > maxSharedText {
		return string(b)
	}
	if len(ps.texts) >= maxShared {
		clear(ps.texts)
	}
	s := string(b)
	ps.texts[s] = s
	return s
}

// ParseNamespace reads the inode out of "mnt:[4026531841]" (namespaces(7)); 0
// where it is not of that form.
func ParseNamespace(link string) uint64 {
	_, rest, ok := strings.Cut(link, ":[")
	if !ok {
		return 0
	}
	n, _ := parseUint([]byte(strings.TrimSuffix(rest, "]")))
	return n
}
