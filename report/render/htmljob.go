package render

import (
	"fmt"
	"io"
	"time"

	"procmon/report"
)

// jobPage shows the jobs that one id is, each with a timeline of its runs.
func jobPage(w io.Writer, r *report.JobReport, o Options) error {
	p := newPrinter(nil, o)
	d := document{Title: "Job " + cut(harmless(r.ID), 80)}
	top := section{Notes: harmlessAll(r.Notes)}
	if len(r.Jobs) > 1 && len(r.Overview.Rows) > 0 {
		top.Table = p.tableSheet("jobs", "All jobs of this id", r.Overview)
	}
	if len(top.Notes) > 0 || top.Table != nil {
		d.Sections = append(d.Sections, top)
	}
	for i := range r.Jobs {
		d.Sections = append(d.Sections, p.jobSections(&r.Jobs[i], i, r.Now)...)
	}
	return p.document(w, d)
}

func (p *printer) jobSections(j *report.JobDetail, n int, now time.Time) []section {
	id := func(name string) string {
		if n == 0 {
			return name
		}
		return fmt.Sprintf("%s%d", name, n+1)
	}
	head := section{Facts: p.factList(&j.Facts)}
	if n > 0 {
		head.Title = "Job " + p.marked(j.Facts.Columns, j.Facts.Rows[0], 2).text
	}
	sections := []section{head}
	if len(j.Accounting.Rows) > 0 {
		sections = append(sections, section{Title: "Accounting", Facts: p.factList(&j.Accounting)})
	}
	if len(j.Runs.Rows) > 0 {
		runs := section{Title: "Runs", Timeline: p.timeline(&j.Runs, now), Table: p.runSheet(id("runs"), "Runs, each below the one that started it", &j.Runs)}
		if more := j.RunCount - len(j.Runs.Rows); more > 0 {
			runs.Notes = append(runs.Notes, fmt.Sprintf("%d of %d single runs are here, the oldest; --limit N has more.", len(j.Runs.Rows), j.RunCount))
		}
		sections = append(sections, runs)
	}
	for _, part := range []struct {
		name, title string
		grid        *report.Grid
	}{{"applications", "Applications", &j.Applications}, {"steps", "Steps", &j.Steps}, {"hosts", "Hosts", &j.Hosts}} {
		if len(part.grid.Rows) > 0 {
			sections = append(sections, section{Title: part.title, Table: p.sheet(id(part.name), part.title, part.grid, nil)})
		}
	}
	end := section{Notes: harmlessAll(j.Notes)}
	if !j.Coverage.To.IsZero() {
		end.Notes = append(end.Notes, p.sentences(func(p *printer) { p.coverage(&j.Coverage, " on its hosts") })...)
	}
	return append(sections, end)
}

func (p *printer) factList(g *report.Grid) []fact {
	var list []fact
	for i, c := range g.Columns {
		v := g.Rows[0][i]
		if l, ok := v.([]string); v == nil || ok && len(l) == 0 || c.Unit == report.Mark || c.Name == "restart" && v == int64(0) {
			continue
		}
		e := p.entry(g.Columns, g.Rows[0], i)
		if t, ok := v.(time.Time); ok {
			e.Text = second(t, p.where) + t.In(p.where).Format(" MST")
		}
		if c.Name == "job" {
			e.Link = ""
		}
		list = append(list, fact{c.Title, e})
	}
	return list
}

// coveragePage shows what was seen and what was not.
func coveragePage(w io.Writer, r *report.CoverageReport, o Options) error {
	p := newPrinter(nil, o)
	s := section{Notes: harmlessAll(r.Notes)}
	if len(r.Hosts.Rows) > 0 {
		s.Table = p.sheet("hosts", "Hosts", &r.Hosts, nil)
	}
	s.Notes = append(s.Notes, p.sentences(func(p *printer) {
		p.coverage(&r.Coverage, "")
		p.losses(&r.Coverage)
	})...)
	return p.document(w, document{Title: "Coverage", Span: p.span(r.Coverage.From, r.Coverage.To), Sections: []section{s}})
}

func harmlessAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = harmless(s)
	}
	return out
}
