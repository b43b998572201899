package render

import (
	"fmt"
	"io"
	"time"

	"procmon/report"
)

// Format is a way to show an answer.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
	HTML  Format = "html"
)

// Formats lists every format.
var Formats = []string{string(Table), string(JSON), string(CSV), string(HTML)}

// Options say how to show. The zero value shows all columns without colour,
// times in UTC.
type Options struct {
	Format   Format         // empty: Table
	Width    int            // of the terminal in columns, 0: no limit; of Table only
	Color    bool           // bold and dim text by ANSI sequences; of Table only
	Location *time.Location // of the times in Table and HTML, nil: UTC; JSON and CSV have UTC
	Made     time.Time      // when an HTML page was made; zero: it doesn't say
	Site     *Site          // of an HTML page that a server shows; nil: a file
}

// Write shows a table.
func Write(w io.Writer, t *report.Table, o Options) error {
	switch o.Format {
	case JSON:
		return writeJSON(w, t)
	case CSV:
		return writeCSV(w, t)
	case HTML:
		return Page(w, &report.Page{Table: t}, o)
	case Table, "":
		p := newPrinter(w, o)
		p.summary(t)
		return p.flush()
	}
	return fmt.Errorf("unknown format %q", o.Format)
}
