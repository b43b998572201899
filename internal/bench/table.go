package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is rows of cells; the first column is text, the others are figures.
type table struct {
	head []string
	rows [][]string
}

// write prints the table as text or as Markdown.
func (t *table) write(w io.Writer, format string) error {
	var b strings.Builder
	b.WriteString("\n")
	switch {
	case len(t.rows) == 0:
		return nil
	case format == "markdown":
		t.markdown(&b)
	default:
		t.text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) markdown(b *strings.Builder) {
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	b.WriteString("|---|" + strings.Repeat("---:|", len(t.head)-1) + "\n")
	for _, row := range t.rows {
		line(row)
	}
}

func (t *table) text(b *strings.Builder) {
	widths := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell)
				if len(row) > 1 {
					b.WriteString(pad)
				}
				continue
			}
			b.WriteString("  " + pad + cell)
		}
		b.WriteString("\n")
	}
}
