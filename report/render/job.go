package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"procmon/report"
)

// Job shows one job, or the several that one id is. CSV has single runs.
func Job(w io.Writer, r *report.JobReport, o Options) error {
	switch o.Format {
	case JSON:
		return jobJSON(w, r)
	case CSV:
		return jobCSV(w, r)
	case HTML:
		return jobPage(w, r, o)
	}
	p := newPrinter(w, o)
	for _, note := range r.Notes {
		p.paragraph(note)
	}
	if len(r.Jobs) > 1 && len(r.Overview.Rows) > 0 {
		p.printf("\n")
		p.grid(r.Overview, true)
	}
	for i := range r.Jobs {
		if i > 0 || len(r.Notes) > 0 {
			p.printf("\n")
		}
		p.job(&r.Jobs[i])
	}
	p.noRoom()
	return p.flush()
}

// fewRuns is how many runs people look through.
const fewRuns = 20

func (p *printer) job(j *report.JobDetail) {
	p.facts(&j.Facts)
	if len(j.Accounting.Rows) > 0 {
		p.printf("\n%s\n", p.bold("Accounting"))
		p.facts(&j.Accounting)
	}
	p.section("Hosts", &j.Hosts)
	p.section("Steps", &j.Steps)
	p.section("Applications", &j.Applications)
	p.section("Failures", &j.Exits)
	for _, part := range []struct {
		title string
		runs  *report.Grid
		many  bool // too many runs to find these among
	}{{"Failed runs", &j.Failed, j.RunCount > fewRuns}, {"Slowest runs", &j.Slowest, j.RunCount > fewRuns}, {"Runs", &j.Runs, true}} {
		if len(part.runs.Rows) > 0 && part.many {
			p.printf("\n%s\n", p.bold(part.title))
			p.lay(p.tree(part.runs))
		}
	}
	if n := j.RunCount - len(j.Runs.Rows); n > 0 {
		p.printf("\n")
		p.paragraph(fmt.Sprintf("%d of %d single runs are shown, the oldest; --limit N shows more.", len(j.Runs.Rows), j.RunCount))
	}
	p.printf("\n")
	for _, note := range j.Notes {
		p.paragraph(note)
	}
	p.counted(j)
	if !j.Coverage.To.IsZero() {
		p.coverage(&j.Coverage, " on its hosts")
	}
}

// counted says how much of the CPU time that kernel or scheduler counted its runs have.
func (p *printer) counted(j *report.JobDetail) {
	runs, cgroup, told := 0.0, 0.0, false
	for _, row := range j.Hosts.Rows {
		var cpu, all any
		for i, c := range j.Hosts.Columns {
			switch c.Name {
			case "cpu_seconds":
				cpu = row[i]
			case "cgroup_cpu_seconds":
				all = row[i]
			}
		}
		if all, ok := all.(float64); ok {
			cpu, _ := cpu.(float64)
			runs, cgroup, told = runs+cpu, cgroup+all, true
		}
	}
	if told && cgroup > 0 {
		p.paragraph(fmt.Sprintf("Its runs used %s of the %s of CPU time that its cgroups counted (%s).", seconds(runs), seconds(cgroup), share(runs/cgroup)))
	}
}

// facts shows what is known of a job, a line each, the zone with its times.
func (p *printer) facts(g *report.Grid) {
	for i, c := range g.Columns {
		v := g.Rows[0][i]
		if v == nil || c.Name == "restart" && v == int64(0) || c.Unit == report.Mark {
			continue
		}
		if l, ok := v.([]string); ok && len(l) == 0 {
			continue
		}
		text := p.marked(g.Columns, g.Rows[0], i).text
		if t, ok := v.(time.Time); ok {
			text = second(t, p.where) + t.In(p.where).Format(" MST")
		}
		p.printf("%s %s\n", p.bold(fmt.Sprintf("%-10s", c.Title)), text)
	}
}

func (p *printer) section(title string, g *report.Grid) {
	if len(g.Rows) == 0 {
		return
	}
	p.printf("\n%s\n", p.bold(title))
	out := &grid{columns: shownColumns(g.Columns)}
	for _, row := range g.Rows {
		out.rows = append(out.rows, p.cells(g.Columns, row))
	}
	out.spare("allocated_core_seconds", "allocated_gpu_seconds", "cgroup_cpu_seconds")
	p.lay(out)
}

// deepest is how far the tree of runs is indented; users decide how deep it is.
const deepest = 12

// tree lays out runs: the program indented below the one that started it.
func (p *printer) tree(g *report.Grid) *grid {
	at := map[string]int{}
	for i, c := range g.Columns {
		at[c.Name] = i
	}
	out := &grid{columns: []report.Column{
		{Title: "Program", Name: "program"}, {Title: "Step", Name: "step", Rank: 5}, {Title: "Host", Name: "host", Rank: 7},
		{Title: "PID", Name: "pid", Unit: report.Count, Rank: 6},
		{Title: "Start", Name: "start", Rank: 3}, {Title: "Elapsed", Name: "elapsed_seconds", Unit: report.Seconds, Rank: 2},
		{Title: "CPU", Name: "cpu_seconds", Unit: report.Seconds, Rank: 1}, {Title: "Max RSS", Name: "max_rss_bytes", Unit: report.Bytes, Rank: 2},
		{Title: "Exit", Name: "exit_code", Rank: 1}, {Title: "Command line", Name: "command_line"},
	}}
	for _, row := range g.Rows {
		value := func(name string) any { return row[at[name]] }
		show := func(name string) cell { return p.marked(g.Columns, row, at[name]) }
		depth, _ := value("depth").(int64)
		start, _ := value("start").(time.Time)
		out.rows = append(out.rows, []cell{
			{text: strings.Repeat("  ", int(min(depth, deepest))) + p.program(value)},
			show("step"), show("host"), show("pid"), {text: start.In(p.where).Format("01-02 15:04:05")},
			show("elapsed_seconds"), show("cpu_seconds"), show("max_rss_bytes"), {text: exitText(value)}, p.command(value("command_line")),
		})
	}
	return out
}

// longCommand is what a table shows of a command line at most, in columns.
const longCommand = 200

func (p *printer) command(v any) cell {
	text, ok := v.(string)
	if !ok {
		return cell{text: "(unknown)"}
	}
	return cell{text: cut(harmless(text), longCommand)}
}

// program names a run: its application, or else its file.
func (p *printer) program(value func(string) any) string {
	if name, ok := value("application").(string); ok {
		if version, ok := value("version").(string); ok {
			name += " " + version
		}
		return harmless(name)
	}
	exe, ok := value("executable").(string)
	if !ok {
		return "(unknown)"
	}
	return harmless(exe[strings.LastIndexByte(exe, '/')+1:])
}

// exitText says how a run ended.
func exitText(value func(string) any) string {
	if signal, ok := value("exit_signal").(int64); ok {
		return fmt.Sprintf("signal %d", signal)
	}
	if code, ok := value("exit_code").(int64); ok {
		return fmt.Sprint(code)
	}
	if value("outcome") == nil {
		return "running"
	}
	return "?"
}

// jobCSV writes the single runs of all jobs, each with its job.
func jobCSV(w io.Writer, r *report.JobReport) error {
	var columns []report.Column
	var rows [][]any
	for _, j := range r.Jobs {
		cluster, job := j.Facts.Rows[0][1], j.Facts.Rows[0][2]
		columns = append([]report.Column{{Name: "cluster"}, {Name: "job"}}, j.Runs.Columns...)
		for _, row := range j.Runs.Rows {
			rows = append(rows, append([]any{cluster, job}, row...))
		}
	}
	return csvRows(w, columns, rows)
}

func jobJSON(w io.Writer, r *report.JobReport) error {
	jobs := []object{}
	for _, j := range r.Jobs {
		o := jsonRow(j.Facts.Columns, j.Facts.Rows[0])
		for _, part := range []struct {
			name string
			grid *report.Grid
		}{{"allocation", &j.Hosts}, {"steps", &j.Steps}, {"applications", &j.Applications}, {"failures", &j.Exits},
			{"failed_runs", &j.Failed}, {"slowest_runs", &j.Slowest}, {"run_tree", &j.Runs}} {
			o = append(o, member{part.name, jsonRows(part.grid.Columns, part.grid.Rows)})
		}
		var told any // null: accounting says nothing
		if len(j.Accounting.Rows) > 0 {
			told = jsonRow(j.Accounting.Columns, j.Accounting.Rows[0])
		}
		jobs = append(jobs, append(o, member{"accounting", told}, member{"run_count", j.RunCount}, member{"coverage", jsonCoverage(&j.Coverage)}, member{"notes", list(j.Notes)}))
	}
	return indented(w, object{
		{"query", object{{"job", r.ID}}},
		{"jobs", jobs},
		{"rows", jsonRows(r.Overview.Columns, r.Overview.Rows)},
		{"notes", list(r.Notes)},
	})
}

// Coverage shows what was seen and what was not.
func Coverage(w io.Writer, r *report.CoverageReport, o Options) error {
	switch o.Format {
	case JSON:
		return indented(w, object{
			{"coverage", jsonCoverage(&r.Coverage)}, {"rows", jsonRows(r.Hosts.Columns, r.Hosts.Rows)},
			{"days", jsonRows(r.Days.Columns, r.Days.Rows)}, {"notes", list(r.Notes)},
		})
	case CSV:
		return csvRows(w, r.Hosts.Columns, r.Hosts.Rows)
	case HTML:
		return coveragePage(w, r, o)
	}
	p := newPrinter(w, o)
	p.printf("%s\n", p.dim(p.span(r.Coverage.From, r.Coverage.To)))
	p.section("Hosts", &r.Hosts)
	p.section("Days", &r.Days)
	p.printf("\n")
	for _, note := range r.Notes {
		p.paragraph(note)
	}
	p.coverage(&r.Coverage, "")
	p.losses(&r.Coverage)
	p.noRoom()
	return p.flush()
}
