package appmap

import (
	"context"

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
