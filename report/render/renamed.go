package render

import (
	"fmt"
	"io"

	"procmon/report"
)

// Renamed shows what naming programs again changed: as Table, JSON or CSV.
func Renamed(w io.Writer, t *report.Renamed, o Options) error {
	switch o.Format {
	case JSON:
		return indented(w, object{
			{"dry_run", t.DryRun}, {"programs", t.Changes.Programs}, {"changed", t.Changes.Changed}, {"stored", t.Changes.Done},
			{"skipped", t.Changes.Skipped}, {"same_name", t.Unseen}, {"rows", jsonRows(t.Columns, t.Rows)}, {"notes", list(t.Notes)},
		})
	case CSV:
		return csvRows(w, t.Columns, t.Rows)
	case Table, "":
		p := newPrinter(w, o)
		p.renamed(t)
		return p.flush()
	}
	return fmt.Errorf("renamed programs are not shown as %q", o.Format)
}

func (p *printer) renamed(t *report.Renamed) {
	if len(t.Rows) > 0 {
		g := &grid{columns: shownColumns(t.Columns)}
		for _, row := range t.Rows {
			g.rows = append(g.rows, p.cells(t.Columns, row))
		}
		if len(t.Rows) > 1 {
			g.total = p.cells(t.Columns, t.Total)
			for i, c := range g.columns {
				if c.Unit == report.Text {
					g.total[i] = cell{}
				}
			}
			g.total[0] = cell{text: "Total"}
		}
		p.lay(g)
		p.printf("\n")
	}
	n := &t.Changes
	switch programs := number(n.Programs, "program"); {
	case n.Changed == 0:
		p.paragraph(programs + ", and today's rules say of each what is recorded.")
	case t.DryRun:
		p.paragraph(fmt.Sprintf("Nothing is changed. Today's rules say something else of %d of %s.", n.Changed, programs))
	default:
		p.paragraph(fmt.Sprintf("%d of %s changed.", n.Done, programs))
	}
	if t.Unseen > 0 {
		p.paragraph(fmt.Sprintf("Of %d of them only evidence or package is another; their names stay.", t.Unseen))
	}
	if n.Skipped > 0 {
		p.paragraph(fmt.Sprintf("%s changed by somebody else meanwhile; run it again.", number(n.Skipped, "program")))
	}
	for _, note := range t.Notes {
		p.paragraph(note)
	}
	p.noRoom()
}
