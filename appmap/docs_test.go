package appmap

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"procmon"
)

// docRow is one example of docs/applications.md.
type docRow struct {
	exe, line                        string
	name, version, kind, evidence    string
	withRules, checksEvidence, valid bool
}

var codeSpan = regexp.MustCompile("^`(.*)`$")

// docRows reads the tables whose first column is "executable".
func docRows(text string) []docRow {
	var rows []docRow
	var columns []string
	rules := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "With this file") {
			rules = true
		}
		if !strings.HasPrefix(line, "|") {
			columns = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = codeSpan.ReplaceAllString(strings.TrimSpace(cells[i]), "$1")
		}
		switch {
		case columns == nil:
			columns = cells
		case columns[0] == "executable" && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, docRowOf(columns, cells, rules))
		}
	}
	return rows
}

func docRowOf(columns, cells []string, rules bool) docRow {
	r := docRow{withRules: rules, valid: len(cells) == len(columns)}
	for i, c := range columns {
		if !r.valid {
			break
		}
		switch c {
		case "executable":
			r.exe = cells[i]
		case "command line":
			r.line = cells[i]
		case "application":
			r.name = cells[i]
		case "version":
			r.version = cells[i]
		case "kind":
			r.kind = cells[i]
		case "evidence":
			r.evidence, r.checksEvidence = cells[i], true
		}
	}
	return r
}

// TestDocumentedExamples runs what the documentation shows.
func TestDocumentedExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/applications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, toml, _ := strings.Cut(string(text), "```toml\n")
	toml, _, _ = strings.Cut(toml, "```")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.toml"), []byte(toml), 0o644); err != nil {
		t.Fatal(err)
	}
	plain := newMapper(t, Config{Root: t.TempDir()})
	site := newMapper(t, Config{Root: t.TempDir(), CatalogDir: dir})
	rows := docRows(string(text))
	if len(rows) < 18 {
		t.Errorf("only %d examples were found", len(rows))
	}
	for _, r := range rows {
		m := plain
		if r.withRules {
			m = site
		}
		argv := strings.Fields(r.line)
		if len(argv) == 0 {
			argv = []string{r.exe}
		}
		got := m.Identify(context.Background(), process(r.exe, argv...))
		if !r.valid || got.Name != r.name || got.Version != r.version || got.Kind != procmon.AppKind(r.kind) || r.checksEvidence && got.Evidence != r.evidence {
			t.Errorf("%+v\n got %+v", r, got)
		}
	}
}
