package appmap

import (
	"context"
	"strings"

	"procmon"
)

// Explanation is an answer and the way to it.
type Explanation struct {
	Application procmon.Application
	Considered  []Candidate // in the order they were looked at
}

// Candidate is one piece of evidence that named something.
type Candidate struct {
	Evidence string // as in procmon.Application
	Name     string // as the evidence spells it
	Version  string
	Package  string
	Lost     string // why it is not the answer; empty for evidence that was followed
}

// trace collects candidates. A nil trace collects nothing.
type trace struct {
	considered []Candidate
}

// rest looks for what else names the subject, for the explanation alone: the
// search itself ends at the first answer.
func (l *lookup) rest(s *subject, winner *procmon.Application) {
	if l.trace == nil || s.exe == "" || winner.Name == "" {
		return
	}
	const why = "stronger evidence decided"
	named := map[string]bool{winner.Evidence: true}
	for _, c := range l.trace.considered {
		named[c.Evidence] = true
	}
	quiet := *l
	quiet.trace = nil
	for _, look := range []func() (finding, bool){
		func() (finding, bool) { return l.catalog.spackPath(s.exe) },
		func() (finding, bool) { return quiet.path(s.exe) },
		func() (finding, bool) { return l.catalog.module(s.exe, &s.env) },
		func() (finding, bool) { return quiet.named(s.exe, true) },
	} {
		if f, ok := look(); ok && !named[f.evidence] {
			named[f.evidence] = true
			l.trace.lost(f, why)
		}
	}
	for _, m := range loaded(&s.env) {
		if name, version, ok := strings.Cut(m, "/"); ok && !strings.Contains(s.exe, "/"+name+"/") && !strings.Contains(s.exe, "/"+name+"-") {
			l.trace.lost(finding{name: name, version: version, pkg: m, evidence: "module"}, "a loaded module whose tree does not hold the file")
		}
	}
}

// maxCandidates bounds an explanation.
const maxCandidates = 32

func (t *trace) won(f finding) { t.add(f, "") }

func (t *trace) lost(f finding, why string) { t.add(f, why) }

func (t *trace) add(f finding, why string) {
	if t == nil || len(t.considered) >= maxCandidates {
		return
	}
	t.considered = append(t.considered, Candidate{Evidence: f.evidence, Name: f.name, Version: f.version, Package: f.pkg, Lost: why})
}

// Explain is Identify with the way to the answer. It asks no cache, and fills
// none.
func (m *Mapper) Explain(ctx context.Context, p *procmon.Process) Explanation {
	t := &trace{}
	app := m.name(ctx, newSubject(m.catalog, p, m.config.MountNS), t)
	return Explanation{Application: app, Considered: t.considered}
}
