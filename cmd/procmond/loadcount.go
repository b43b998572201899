package main

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"procmon"
)

// loadCount is a sink that counts what was recorded of a load: programs that
// were started with one argument, a tag and a number, and do nothing.
type loadCount struct {
	tag string
	uid uint32

	mu     sync.Mutex // guards the fields below
	result loadResult
	seen   []bool        // by number
	strays map[int32]int // runs whose argument is not known, by parent
}

func newLoadCount(tag string, uid uint32, source string, runs int) *loadCount {
	return &loadCount{
		tag: tag, uid: uid, seen: make([]bool, runs), strays: map[int32]int{},
		result: loadResult{source: source, started: runs, lacking: map[string]int{}, lost: map[string]uint64{}},
	}
}

// recorded is how many of the load's runs have come so far.
func (c *loadCount) recorded() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result.recorded
}

// Write is part of collector.Sink.
func (c *loadCount) Write(_ context.Context, batch []procmon.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range batch {
		r := &batch[i]
		switch {
		case r.Run != nil && (r.Phase == procmon.Whole || r.Phase == procmon.End):
			c.run(r.Run)
		case r.Loss != nil:
			c.result.lose(r.Loss.Reason, r.Loss.Where, r.Loss.Count)
		}
	}
	return nil
}

// Close is part of collector.Sink.
func (c *loadCount) Close() error { return nil }

func (c *loadCount) run(r *procmon.Run) {
	p := r.Process
	n, ok := c.number(p)
	switch {
	case !ok && p.Missing&procmon.MissingArgs != 0:
		c.strays[p.PPID]++
	case !ok: // somebody else's
	case c.seen[n]:
		c.result.twice++
	default:
		c.seen[n] = true
		c.result.count(lacking(r, c.uid), 1)
	}
}

// done adds the runs that lack their argument, told by their parents or, where
// these are not known either, by their user, and gives the result.
func (c *loadCount) done(parents []int) loadResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pid := range append([]int{0}, parents...) {
		if n := c.strays[int32(pid)]; n > 0 {
			c.result.count([]string{"args"}, n)
		}
	}
	return c.result
}

// number is which one of the load a process is.
func (c *loadCount) number(p *procmon.Process) (n int, ok bool) {
	argv := p.Argv()
	if len(argv) != 2 || p.ArgsCount != 2 {
		return 0, false
	}
	digits, ok := strings.CutPrefix(argv[1], c.tag+"-")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && n < len(c.seen)
}

// lacking names the fields that a run of the load should have and has not.
func lacking(r *procmon.Run, uid uint32) []string {
	p := r.Process
	lacks := p.Missing.Names()
	for _, field := range []struct {
		name  string
		known bool
	}{
		{"args", p.ArgsBytes == len(p.Args) && bytes.HasSuffix(p.Args, []byte{0})},
		{"exe", p.Exe != ""}, {"cwd", p.Cwd != ""}, {"cgroup", len(p.Cgroups) > 0}, {"uid", p.UID == uid && p.EUID == uid},
		{"ancestors", len(p.Ancestors) > 0}, {"usage", r.Usage != nil}, {"exit code", r.Exit != nil && *r.Exit == procmon.Exit{}},
		{"end", !r.End.Before(r.Start) && !r.Start.IsZero()},
	} {
		if !field.known && !slices.Contains(lacks, field.name) {
			lacks = append(lacks, field.name)
		}
	}
	return lacks
}
