package main

import (
	"strings"

	"procmon/jobmap"
)

// patterns are a site's own cgroup paths of jobs. Spaces part them, since a
// regular expression may hold commas; one that matches a space says \x20.
type patterns struct {
	text   []string
	parsed []jobmap.Pattern
}

func (p *patterns) separator() string { return " " }

func (p *patterns) String() string { return strings.Join(p.text, " ") }

func (p *patterns) Set(v string) error {
	var all patterns
	for text := range strings.FieldsSeq(v) {
		one, err := jobmap.ParsePattern(text)
		if err != nil {
			return err
		}
		all.text, all.parsed = append(all.text, text), append(all.parsed, one)
	}
	*p = all
	return nil
}

// jobConfig is what the settings say of jobs; registry may be nil.
func (s *Settings) jobConfig(registry *jobmap.Registry) jobmap.Config {
	c := jobmap.Config{
		Cluster: s.Cluster, Facts: registry, SlurmSlice: s.SlurmSlice, Patterns: s.JobsPatterns.parsed,
		CondorDir: s.CondorExecute, MinUID: uint32(s.MinUID),
	}
	if c.CondorDir == "off" {
		c.CondorDir = ""
	}
	return c
}
