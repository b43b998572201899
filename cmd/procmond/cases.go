package main

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"procmon"
	"procmon/collector/procfs"
)

// explainCase is one line that explain --json takes.
type explainCase struct {
	ID      any         `json:"id"`
	Process caseProcess `json:"process"`
}

type caseProcess struct {
	Exe     string            `json:"exe"`
	Args    []string          `json:"args"`
	Comm    string            `json:"comm"`
	Cwd     string            `json:"cwd"`
	Env     map[string]string `json:"env"`
	Cgroup  lines             `json:"cgroup"`
	UID     *uint32           `json:"uid"`
	Parents []caseProcess     `json:"parents"`
}

// lines is a text of several lines, or a list of them.
type lines string

// UnmarshalJSON takes a string or a list of strings.
func (l *lines) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*l = lines(text)
		return nil
	}
	var list []string
	if json.Unmarshal(b, &list) != nil {
		return errors.New("cgroup: want a string or a list of strings")
	}
	*l = lines(strings.Join(list, "\n"))
	return nil
}

// process makes a Process of a case, as a source would.
func (c *caseProcess) process() *procmon.Process {
	p := &procmon.Process{
		Comm: c.Comm, Cwd: c.Cwd, UID: c.uid(), EUID: c.uid(), GID: procmon.NoUID, LoginUID: procmon.NoUID,
		Args: joinNUL(c.Args), ArgsCount: len(c.Args), Cgroups: c.cgroups(),
	}
	p.Exe, p.ExeDeleted = strings.CutSuffix(c.Exe, " (deleted)")
	p.ArgsBytes = len(p.Args)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, name+"="+c.Env[name])
	}
	p.Env = envFilter().Filter(joinNUL(env))
	for i := range c.Parents {
		up := &c.Parents[i]
		p.Ancestors = append(p.Ancestors, procmon.Ancestor{
			UID: up.uid(), Comm: up.Comm, Exe: up.Exe, Args: joinNUL(up.Args), Cgroups: up.cgroups(),
		})
	}
	return p
}

func (c *caseProcess) uid() uint32 {
	if c.UID == nil {
		return procmon.NoUID
	}
	return *c.UID
}

// cgroups takes what can be understood; a bad line is as one that is missing.
func (c *caseProcess) cgroups() []procmon.Cgroup {
	if c.Cgroup == "" {
		return nil
	}
	groups, _ := procfs.ParseCgroup([]byte(c.Cgroup))
	return groups
}

func joinNUL(list []string) []byte {
	var b []byte
	for _, s := range list {
		b = append(append(b, strings.ReplaceAll(s, "\x00", "")...), 0)
	}
	return b
}
