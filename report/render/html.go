package render

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"procmon/report"
)

//go:embed page
var pageFiles embed.FS

// Site is where a page stands when a server shows it: it has links and a form. Its
// addresses are made harmless by whoever makes them.
type Site struct {
	Home   string // address that the form asks
	Places []Place
	Fields []Field
	// Link gives the address of what is known of one value, or "".
	Link func(d report.Dimension, value string) string
	// Sort gives the address of the same page in the order of a column, or "".
	Sort func(column string) string
}

// Place is a link at the top of a page.
type Place struct{ Name, Address string }

// Field is one input of the form.
type Field struct {
	Name, Title, Value, Hint string
	Check                    bool // on or off: Value is empty for off
	Hidden                   bool
}

// document is what the template shows; all text in it is harmless.
type document struct {
	Title, Span, Made string
	Site              *Site
	Sections          []section
}

type section struct {
	Title    string
	Facts    []fact
	Charts   []drawing
	Timeline *drawing
	Table    *sheet
	Notes    []string
}

type fact struct {
	Name string
	Cell entry
}

// Page shows a table and its charts as one HTML file that needs nothing else.
func Page(w io.Writer, r *report.Page, o Options) error {
	p := newPrinter(nil, o)
	t := r.Table
	d := document{Title: title(&t.Query), Span: p.span(t.Query.Since, t.Query.Until)}
	s := section{}
	for i := range r.Charts {
		s.Charts = append(s.Charts, p.chart(&r.Charts[i]))
	}
	if len(t.Rows) > 0 {
		s.Table = p.tableSheet("rows", d.Title, t)
	}
	s.Notes = p.sentences(func(p *printer) { p.notes(t) })
	d.Sections = []section{s}
	return p.document(w, d)
}

// title says what rows are by, and of what.
func title(q *report.Query) string {
	text := "Program runs"
	for i, d := range q.By {
		text += map[bool]string{true: " by ", false: ", "}[i == 0] + string(d)
	}
	for _, f := range q.Filters {
		var values []string
		for _, v := range f.Values {
			values = append(values, cut(harmless(v), 60))
		}
		text += fmt.Sprintf(", %s %s", f.By, strings.Join(values, " or "))
	}
	return cut(text, 200)
}

// sentences are the paragraphs that f writes.
func (p *printer) sentences(f func(*printer)) []string {
	var b bytes.Buffer
	said := newPrinter(&b, Options{Location: p.where})
	f(said)
	_ = said.flush() // into memory
	var list []string
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, harmless(line))
		}
	}
	return list
}

// document writes a page with its policy: nothing but what stands in it runs,
// whatever text of users might do.
func (p *printer) document(w io.Writer, d document) error {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	script, err := pageFiles.ReadFile("page/script.js")
	if err != nil {
		return err
	}
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	d.Site = p.o.Site
	if !p.o.Made.IsZero() {
		d.Made = "Made by procmon-report at " + second(p.o.Made, p.where) + p.o.Made.In(p.where).Format(" MST") + "."
	}
	return t.Execute(w, struct {
		document
		Policy string
		Style  template.CSS
		Script template.JS
	}{d, policy(style, script, d.Site != nil), template.CSS(style), template.JS(script)}) //nolint:gosec // our own files
}

// Policy is the Content-Security-Policy of every page, for a server to send as well.
func Policy() (string, error) {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return "", err
	}
	script, err := pageFiles.ReadFile("page/script.js")
	return policy(style, script, true) + "; frame-ancestors 'none'", err
}

func policy(style, script []byte, asks bool) string {
	form := "'none'"
	if asks {
		form = "'self'"
	}
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action %s",
		digest(style), digest(script), form)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
