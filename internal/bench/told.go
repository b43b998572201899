package main

import (
	"slices"
	"time"
)

// told is what one record of a tool says of a run; "" where it says nothing.
type told struct {
	id     string // of the run, in the tool's own words: two ids for one run are a mistake
	line   string // the arguments with spaces between
	name   string
	exe    string
	uid    string // or the login name
	cwd    string
	cgroup string // the job and step of its cgroup, "424242.0"
	job    string
	usage  bool
	cpu    time.Duration
}

// wanted is what was started: the values that hold for all runs of a workload,
// and the command line of each.
type wanted struct {
	lines  map[string]bool
	name   string
	exe    string
	uids   []string // the number and the login name
	cwd    string
	cgroup string
	job    string
}

// field is a part of a run that a record should hold.
type field int

const (
	lineField field = iota
	exeField
	uidField
	cwdField
	cgroupField
	jobField
	usageField
	fields
)

func (f field) String() string {
	return [fields]string{"command line", "exe", "uid", "cwd", "cgroup", "job", "usage"}[f]
}

// tally is what a tool told of a workload.
type tally struct {
	Started int
	Fields  [fields]int // runs of which the record holds this field's value
	Partial int         // records of the workload without a command line
	Twice   int         // runs told more than once
	Lost    int         // what the tool says it lost
	// SaysLost: the tool can tell what it lost.
	SaysLost bool
	CPU      time.Duration // the runs' own, as the tool tells it
}

// counter compares what is told with what was started.
type counter struct {
	want wanted
	runs map[string]*seen // by command line
	tally
}

type seen struct {
	id  string
	has [fields]bool
}

func newCounter(want wanted) *counter {
	return &counter{want: want, runs: make(map[string]*seen, len(want.lines)), tally: tally{Started: len(want.lines)}}
}

// add takes one record; several may tell of one run.
func (c *counter) add(t told) {
	if !c.want.lines[t.line] {
		ours := t.job != "" && t.job == c.want.job || slices.Contains(c.want.uids, t.uid)
		if t.line == "" && t.name == c.want.name && ours {
			c.Partial++
			c.CPU += t.cpu
		}
		return
	}
	r := c.runs[t.line]
	if r == nil {
		r = &seen{id: t.id}
		c.runs[t.line] = r
	}
	if r.id != t.id {
		c.Twice++
	}
	c.CPU += t.cpu
	for f, has := range [fields]bool{
		lineField: true, exeField: t.exe == c.want.exe, uidField: slices.Contains(c.want.uids, t.uid), cwdField: t.cwd == c.want.cwd,
		cgroupField: t.cgroup == c.want.cgroup, jobField: t.job == c.want.job, usageField: t.usage,
	} {
		if has && !r.has[f] {
			r.has[f] = true
			c.Fields[f]++
		}
	}
}

// Silent is how many runs are missing that the tool doesn't say it lost.
func (t *tally) Silent() int {
	return max(t.Started-t.Fields[lineField]-t.Partial-t.Lost, 0)
}
