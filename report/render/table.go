package render

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"procmon/report"
)

// printer writes for people.
type printer struct {
	w     *bufio.Writer
	o     Options
	where *time.Location
	// dropped names the columns that there was no room for.
	dropped []string
}

func newPrinter(w io.Writer, o Options) *printer {
	ignoreLocale()
	p := &printer{w: bufio.NewWriter(w), o: o, where: o.Location}
	if p.where == nil {
		p.where = time.UTC
	}
	return p
}

func (p *printer) flush() error { return p.w.Flush() }

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

// bold and dim mark text where colour is wanted.
func (p *printer) bold(s string) string { return p.mark(text.Bold, s) }
func (p *printer) dim(s string) string  { return p.mark(text.Faint, s) }

// mark does not use the library's Sprint, which asks the environment.
func (p *printer) mark(c text.Color, s string) string {
	if !p.o.Color || s == "" {
		return s
	}
	return text.Escape(s, c.EscapeSeq())
}

// summary shows a table with the range it speaks of, notes and coverage.
func (p *printer) summary(t *report.Table) {
	p.printf("%s\n", p.dim(p.span(t.Query.Since, t.Query.Until)))
	if len(t.Rows) > 0 {
		p.printf("\n")
		p.grid(t, len(t.Query.By) > 0 && t.RowCount > 1)
		p.printf("\n")
	}
	p.notes(t)
	p.noRoom()
}

// notes says what one must know to trust a table.
func (p *printer) notes(t *report.Table) {
	if n := t.RowCount - len(t.Rows); n > 0 {
		p.paragraph(fmt.Sprintf("%d of %d rows shown; --limit 0 shows all. The total is of all.", len(t.Rows), t.RowCount))
	}
	for _, note := range t.Notes {
		p.paragraph(note)
	}
	if t.LeftOut.Runs > 0 {
		p.paragraph("Left out: " + part(&t.LeftOut) + " of launchers, shells and system programs; --all counts them.")
	}
	if t.Unnamed.Runs > 0 {
		p.paragraph("Without a known application: " + part(&t.Unnamed) + "; procmon-report unknown lists them.")
	}
	p.allocated(t)
	p.coverage(&t.Coverage, "")
}

// allocated says where what the scheduler allocated went.
func (p *printer) allocated(t *report.Table) {
	a, u := t.Allocated, t.Unattributed
	if a == nil || u == (report.Allocation{}) {
		return
	}
	p.paragraph(fmt.Sprintf("Of %s that jobs were allocated, %s belong to no row: of these jobs no CPU time is recorded, or less than accounting tells.",
		coresAndGPUs(a), coresAndGPUs(&u)))
}

func coresAndGPUs(a *report.Allocation) string {
	s := seconds(a.CoreSeconds) + " of cores"
	if a.GPUSeconds > 0 {
		s += " and " + seconds(a.GPUSeconds) + " of GPUs"
	}
	return s
}

func part(share *report.Part) string {
	return fmt.Sprintf("%s (%s of CPU time)", number(share.Runs, "run"), seconds(share.CPUSeconds))
}

// span says from when to when, and in which zone.
func (p *printer) span(since, until time.Time) string {
	from := "from the beginning"
	if !since.IsZero() {
		from = "from " + minute(since, p.where)
	}
	return fmt.Sprintf("%s to %s (%s)", from, minute(until, p.where), until.In(p.where).Format("MST"))
}

// grid shows the rows of a table.
func (p *printer) grid(t *report.Table, total bool) {
	g := &grid{columns: shownColumns(t.Columns)}
	for _, row := range t.Rows {
		g.rows = append(g.rows, p.rowOf(t, row))
	}
	if total && t.Total != nil {
		if len(t.Rows) == t.RowCount && t.Unattributed != (report.Allocation{}) {
			g.rows = append(g.rows, p.aside(t, "(unattributed)", unattributed(t)))
		}
		g.total = p.aside(t, "Total", t.Total)
	}
	g.spare("cpu_share", "allocated_core_seconds", "allocated_gpu_seconds")
	g.hide(t.Query.By)
	p.lay(g)
}

// rowOf is a row of a table. Of what is gone there is nothing now, rather than
// something that is not known.
func (p *printer) rowOf(t *report.Table, row []any) []cell {
	cells := p.cells(t.Columns, row)
	i := slices.IndexFunc(t.Columns, func(c report.Column) bool { return c.Name == "change" })
	if i < 0 || row[i] != any("gone") {
		return cells
	}
	for i, c := range shownColumns(t.Columns) {
		if c.Rank > 0 && cells[i].text == "?" {
			cells[i].text = "-"
		}
	}
	return cells
}

// aside is a row of no dimensions, with a name.
func (p *printer) aside(t *report.Table, name string, row []any) []cell {
	cells := p.cells(t.Columns, row)
	for i, c := range shownColumns(t.Columns) {
		if c.Rank == 0 || c.Unit == report.List || row != nil && cells[i].text == c.Missing {
			cells[i] = cell{}
		}
	}
	cells[0] = cell{text: name}
	return cells
}

// unattributed is a row of what no row has.
func unattributed(t *report.Table) []any {
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Name {
		case "allocated_core_seconds":
			row[i] = t.Unattributed.CoreSeconds
		case "allocated_gpu_seconds":
			row[i] = t.Unattributed.GPUSeconds
		}
	}
	return row
}

// batch is how many rows are drawn at a time: one long text makes all rows as
// long, so a table can be much larger than what is in it.
const batch = 1000

// lay fits a grid into the width and writes it.
func (p *printer) lay(g *grid) {
	w := g.fit(p.o.Width)
	head := make([]cell, len(g.columns))
	for i, c := range g.columns {
		head[i].text = c.Title
	}
	p.printf("%s\n", p.bold(g.draw(w, head)))
	for rows := range slices.Chunk(g.rows, batch) {
		p.printf("%s\n", g.draw(w, rows...))
	}
	if g.total != nil {
		p.printf("%s\n", p.bold(g.draw(w, g.total)))
	}
	for _, name := range g.dropped {
		if !slices.Contains(p.dropped, name) {
			p.dropped = append(p.dropped, name)
		}
	}
}

// noRoom says which columns were given up.
func (p *printer) noRoom() {
	if len(p.dropped) > 0 {
		p.paragraph("No room for " + strings.Join(p.dropped, ", ") + "; a wider terminal, csv or json has them.")
	}
}

// shownColumns are those that people see: a mark stands with what it is about.
func shownColumns(columns []report.Column) []report.Column {
	return slices.DeleteFunc(slices.Clone(columns), func(c report.Column) bool { return c.Unit == report.Mark })
}

// cells are the shown columns of a row.
func (p *printer) cells(columns []report.Column, row []any) []cell {
	cells := make([]cell, 0, len(columns))
	for i, c := range columns {
		if c.Unit != report.Mark {
			cells = append(cells, p.marked(columns, row, i))
		}
	}
	return cells
}

// marked is one cell, with the mark that the next column may be.
func (p *printer) marked(columns []report.Column, row []any, i int) cell {
	c := p.cell(columns[i], row[i])
	if i+1 < len(columns) && columns[i+1].Name == "max_rss_upper_bound" && row[i+1] == true {
		c.text = "≤ " + c.text
	}
	return c
}

func (p *printer) cell(c report.Column, v any) cell {
	switch v := v.(type) {
	case nil:
		return cell{text: c.Missing}
	case int64:
		if c.Unit == report.Bytes {
			return cell{text: byteSize(v)}
		}
		return cell{text: strconv.FormatInt(v, 10)}
	case float64:
		switch c.Unit {
		case report.Share:
			return cell{text: share(v)}
		case report.Change:
			return cell{text: change(v)}
		}
		return cell{text: seconds(v)}
	case time.Time:
		return cell{text: minute(v, p.where)}
	case []string:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = harmless(s)
		}
		return cell{text: strings.Join(items, ", "), items: items}
	default:
		return cell{text: harmless(fmt.Sprint(v))}
	}
}

// some shows the last n items of a list, the newest versions, and counts the others.
func some(items []string, n int) string {
	return fmt.Sprintf("%s +%d", strings.Join(items[len(items)-n:], ", "), len(items)-n)
}

// paragraph writes a sentence, broken at the width.
func (p *printer) paragraph(s string) {
	column := 0
	for i, word := range strings.Fields(s) {
		if n := width(word); i > 0 && p.o.Width > 0 && column+1+n > p.o.Width {
			p.printf("\n")
			column = 0
		} else if i > 0 {
			p.printf(" ")
			column++
		}
		p.printf("%s", word)
		column += width(word)
	}
	p.printf("\n")
}
