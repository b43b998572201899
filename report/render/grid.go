package render

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"procmon/report"
)

// grid is a table of text, before and after it is made to fit.
type grid struct {
	columns []report.Column
	rows    [][]cell
	total   []cell // nil: none
	// dropped names the columns that there was no room for.
	dropped []string
}

// cell is harmless text. Lists keep their items, so that they can be cut
// between them.
type cell struct {
	text  string
	items []string
}

const gap = 2 // columns between columns

// widths are what the columns need.
func (g *grid) widths() []int {
	w := make([]int, len(g.columns))
	for i, c := range g.columns {
		w[i] = width(c.Title)
		for _, row := range g.rows {
			w[i] = max(w[i], width(row[i].text))
		}
		if g.total != nil {
			w[i] = max(w[i], width(g.total[i].text))
		}
	}
	return w
}

// fit gives up columns and cuts text until the grid is at most room wide: long
// texts first, then the least wanted measures, then shorter texts.
func (g *grid) fit(room int) []int {
	if room <= 0 {
		return g.widths()
	}
	var w []int
	for _, step := range []struct{ text, rank int }{{48, 99}, {36, 6}, {24, 4}, {16, 2}, {10, 1}, {3, 1}} {
		for {
			w = g.shrink(g.widths(), room, step.text)
			if over(w, room) <= 0 {
				return w
			}
			i := g.leastWanted(step.rank)
			if i < 0 {
				break
			}
			g.drop(i)
		}
	}
	return w
}

// shrink cuts the widest texts first, to a limit.
func (g *grid) shrink(w []int, room, limit int) []int {
	for over(w, room) > 0 {
		widest := -1
		for i, c := range g.columns {
			if (c.Unit == report.Text || c.Unit == report.List) && w[i] > limit && (widest < 0 || w[i] > w[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		w[widest]--
	}
	return w
}

func over(w []int, room int) int {
	sum := -gap
	for _, n := range w {
		sum += n + gap
	}
	return sum - room
}

// leastWanted finds the column of the greatest rank, of at least the given
// one, or -1.
func (g *grid) leastWanted(rank int) int {
	best := -1
	for i, c := range g.columns {
		if c.Rank >= rank && (best < 0 || c.Rank >= g.columns[best].Rank) {
			best = i
		}
	}
	return best
}

// spare takes away columns of these names that have nothing to tell.
func (g *grid) spare(names ...string) {
	for i := len(g.columns) - 1; i >= 0; i-- {
		told := func(row []cell) bool { return row[i].text != "" && row[i].text != "0 s" }
		if slices.Contains(names, g.columns[i].Name) && !slices.ContainsFunc(g.rows, told) {
			g.remove(i)
		}
	}
}

// hide takes away the count of what rows are by: it is 1 in each.
func (g *grid) hide(by []report.Dimension) {
	counts := map[report.Dimension]string{report.User: "users", report.Job: "jobs"}
	for _, d := range by {
		if i := slices.IndexFunc(g.columns, func(c report.Column) bool { return c.Name == counts[d] }); i >= 0 {
			g.remove(i)
		}
	}
}

func (g *grid) drop(i int) {
	g.dropped = append(g.dropped, g.columns[i].Name)
	g.remove(i)
}

func (g *grid) remove(i int) {
	g.columns = append(append([]report.Column(nil), g.columns[:i]...), g.columns[i+1:]...)
	for r := range g.rows {
		g.rows[r] = append(g.rows[r][:i], g.rows[r][i+1:]...)
	}
	if g.total != nil {
		g.total = append(g.total[:i], g.total[i+1:]...)
	}
}

// draw lays out rows, one a line: no borders, numbers at the right, each
// column as wide as fit wants it.
func (g *grid) draw(w []int, rows ...[]cell) string {
	t := table.NewWriter()
	t.SetStyle(table.Style{Box: table.BoxStyle{PaddingRight: strings.Repeat(" ", gap)}})
	t.SuppressTrailingSpaces()
	columns := make([]table.ColumnConfig, len(g.columns))
	for i, c := range g.columns {
		columns[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignLeft, WidthMin: w[i], WidthMax: w[i], WidthMaxEnforcer: cut}
		if slices.Contains([]report.Unit{report.Count, report.Seconds, report.Bytes, report.Share, report.Change}, c.Unit) {
			columns[i].Align = text.AlignRight
		}
		if c.Name == string(report.Executable) {
			columns[i].WidthMaxEnforcer = cutLeft
		}
	}
	t.SetColumnConfigs(columns)
	for _, cells := range rows {
		row := make(table.Row, len(cells))
		for i, c := range cells {
			row[i] = c.fit(w[i])
		}
		t.AppendRow(row)
	}
	return t.Render()
}

// fit cuts a list between its items and says how many are not shown. What is
// still wider, and other text, the table cuts.
func (c cell) fit(columns int) string {
	if width(c.text) <= columns {
		return c.text
	}
	for n := len(c.items) - 1; n > 0; n-- {
		if s := some(c.items, n); width(s) <= columns {
			return s
		}
	}
	return c.text
}
