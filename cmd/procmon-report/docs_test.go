package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon/report/reporttest"
)

// The examples of the documentation are transcripts: what they show is what
// the program says.
func TestDocumentedExamples(t *testing.T) {
	const file = "../../docs/reports.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	index, examples := reporttest.Small(t), 0
	parts := strings.Split(string(doc), "```\n")
	for i, part := range parts {
		if i%2 == 1 && strings.HasPrefix(part, "$ procmon-report") {
			parts[i] = perform(t, part, index, t.TempDir())
			examples++
		}
	}
	got := strings.Join(parts, "```\n")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(doc), got); diff != "" {
		t.Errorf("%s (-says +is, -update writes it anew):\n%s", file, diff)
	}
	if examples < 5 {
		t.Errorf("%d examples found", examples)
	}
}
