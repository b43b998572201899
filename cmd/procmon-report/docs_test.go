package main

import (
	"os"
	"path/filepath"
	"slices"
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
	t.Setenv("PROCMON_CATALOG_DIR", "testdata/rules/first") // where a site has its rules
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

// The reports that README.md names are there: those that need an index answer.
func TestReadmeIsTrue(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, index := t.TempDir(), reporttest.Small(t)
	t.Setenv("PROCMON_INDEX_PATH", index)
	tried := 0
	for line := range strings.Lines(string(b)) {
		command, ok := strings.CutPrefix(line, "    procmon-report ")
		if !ok {
			continue
		}
		command, _, _ = strings.Cut(command, "#")
		argv := strings.Fields("procmon-report " + strings.NewReplacer("month.html", dir+"/month.html", "/srv/procmon/nodes", filepath.Dir(index), " all.db", " "+dir+"/all.db").Replace(command))
		want := ""
		switch {
		case slices.Contains(argv, "--mine"), argv[1] == "serve": // which go on, or need a daemon
			argv = append(argv, "--nonsense")
			want = "unknown flag --nonsense"
		case argv[1] == "import":
			want = "no such file"
		}
		tried++
		if said := say(t, argv, 0); strings.Contains(said, "[exit ") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("%q: %.300s", argv, said)
		}
	}
	if tried < 10 {
		t.Errorf("%d commands", tried)
	}
}
