package render

import (
	"fmt"
	"strconv"
	"time"

	"procmon/report"
)

// sheet is a table of a page.
type sheet struct {
	ID, Caption string
	Class       string // "data": sorted and filtered; "aside": beside a chart
	Whole       bool   // all rows are in the page, so that it can sort them
	Columns     []heading
	Rows        [][]entry
	Total       []entry
}

type heading struct {
	Name, Title string
	Number      bool
	Link        string
}

// entry is one cell.
type entry struct {
	Text   string
	Sort   string // a number by which to sort; empty: by the text
	Number bool
	Code   bool
	Depth  int // in a tree of runs
	Link   string
}

// tableSheet lays out the answer to a query.
func (p *printer) tableSheet(id, caption string, t *report.Table) *sheet {
	hidden := map[string]bool{}
	for _, d := range t.Query.By {
		switch d {
		case report.User:
			hidden["users"] = true
		case report.Job:
			hidden["jobs"] = true
		}
	}
	s := p.sheet(id, caption, &t.Grid, hidden)
	s.Whole = t.RowCount <= len(t.Rows)
	if !s.Whole && p.o.Site != nil {
		for i := range s.Columns {
			s.Columns[i].Link = p.o.Site.Sort(s.Columns[i].Name)
		}
	}
	if len(t.Query.By) == 0 || t.RowCount < 2 || t.Total == nil {
		return s
	}
	for i, c := range t.Columns {
		if c.Unit == report.Mark || hidden[c.Name] {
			continue
		}
		e := p.entry(t.Columns, t.Total, i)
		if c.Rank == 0 || c.Unit == report.List {
			e.Text, e.Link = "", ""
		}
		s.Total = append(s.Total, e)
	}
	s.Total[0] = entry{Text: "Total"}
	return s
}

// sheet lays out rows, but for hidden columns.
func (p *printer) sheet(id, caption string, g *report.Grid, hidden map[string]bool) *sheet {
	s := &sheet{ID: id, Caption: caption, Class: "data", Whole: true}
	for _, c := range g.Columns {
		if c.Unit != report.Mark && !hidden[c.Name] {
			s.Columns = append(s.Columns, heading{Name: c.Name, Title: c.Title, Number: isNumber(c.Unit)})
		}
	}
	for _, row := range g.Rows {
		entries := make([]entry, 0, len(s.Columns))
		for i, c := range g.Columns {
			if c.Unit != report.Mark && !hidden[c.Name] {
				entries = append(entries, p.entry(g.Columns, row, i))
			}
		}
		s.Rows = append(s.Rows, entries)
	}
	return s
}

func isNumber(u report.Unit) bool {
	return u != report.Text && u != report.List && u != report.Time && u != report.Mark
}

func (p *printer) entry(columns []report.Column, row []any, i int) entry {
	c := columns[i]
	e := entry{Text: p.marked(columns, row, i).text, Sort: sortable(row[i]), Number: isNumber(c.Unit), Code: c.Name == "executable"}
	if text, ok := row[i].(string); ok && p.o.Site != nil {
		e.Link = p.o.Site.Link(report.Dimension(c.Name), text)
	}
	return e
}

// sortable is a number in the order of a value, "" for text.
func sortable(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return strconv.FormatInt(v.UnixMilli(), 10)
	}
	return ""
}

// pageRuns is how many single runs of a job a page shows.
const pageRuns = 2000

// runSheet lays out the tree of a job's runs.
func (p *printer) runSheet(id, caption string, g *report.Grid) *sheet {
	shown := *g
	shown.Rows = shown.Rows[:min(len(shown.Rows), pageRuns)]
	tree := p.tree(&shown)
	at := map[string]int{}
	for i, c := range g.Columns {
		at[c.Name] = i
	}
	s := &sheet{ID: id, Caption: caption, Class: "data", Whole: true}
	for _, c := range tree.columns {
		s.Columns = append(s.Columns, heading{Name: c.Name, Title: c.Title, Number: isNumber(c.Unit)})
	}
	for r, cells := range tree.rows {
		row := make([]entry, len(cells))
		for i, c := range tree.columns {
			row[i] = entry{Text: cells[i].text, Number: isNumber(c.Unit), Code: c.Name == "command_line"}
			if j, ok := at[c.Name]; ok {
				row[i].Sort = sortable(shown.Rows[r][j])
			}
		}
		depth, _ := shown.Rows[r][at["depth"]].(int64)
		row[0].Depth = int(min(depth, 8))
		s.Rows = append(s.Rows, row)
	}
	if n := len(g.Rows) - len(shown.Rows); n > 0 {
		s.Caption += fmt.Sprintf(", the first %d of %d", len(shown.Rows), len(g.Rows))
	}
	return s
}
