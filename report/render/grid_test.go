package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon/report"
)

func wide() *grid {
	return &grid{
		columns: []report.Column{
			{Name: "executable", Title: "Executable"}, {Name: "versions", Title: "Versions", Unit: report.List, Rank: 3},
			{Name: "runs", Title: "Runs", Unit: report.Count, Rank: 1}, {Name: "read", Title: "Read", Unit: report.Bytes, Rank: 10},
		},
		rows: [][]cell{
			{{text: "/apps/software/GROMACS/bin/gmx"}, {text: "1.0, 2.0, 3.0, 10.0", items: []string{"1.0", "2.0", "3.0", "10.0"}}, {text: "12"}, {text: "1.0 GiB"}},
			{{text: "/bin/a"}, {}, {text: "3"}, {text: "0 B"}},
		},
		total: []cell{{text: "Total"}, {}, {text: "15"}, {text: "1.0 GiB"}},
	}
}

func TestGridFits(t *testing.T) {
	ignoreLocale()
	for _, c := range []struct {
		name    string
		room    int
		lines   []string
		dropped []string
	}{
		{"no limit", 0, []string{
			"/apps/software/GROMACS/bin/gmx  1.0, 2.0, 3.0, 10.0    12  1.0 GiB",
			"/bin/a                                                  3      0 B",
		}, nil},
		{"just", 66, []string{
			"/apps/software/GROMACS/bin/gmx  1.0, 2.0, 3.0, 10.0    12  1.0 GiB",
			"/bin/a                                                  3      0 B",
		}, nil},
		{"less", 50, []string{
			"…ftware/GROMACS/bin/gmx  1.0, 2.0, 3.0, 10.0    12",
			"/bin/a                                           3",
		}, []string{"read"}},
		{"little", 30, []string{
			"…oftware/GROMACS/bin/gmx    12",
			"/bin/a                       3",
		}, []string{"read", "versions"}},
		{"almost none", 9, []string{"…/bin/gmx", "/bin/a"}, []string{"read", "versions", "runs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := wide()
			w := g.fit(c.room)
			if diff := cmp.Diff(c.lines, strings.Split(g.draw(w, g.rows...), "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(c.dropped, g.dropped); diff != "" {
				t.Errorf("dropped, -want +got:\n%s", diff)
			}
		})
	}
}

func TestListsAreCutBetweenItems(t *testing.T) {
	ignoreLocale()
	c := cell{text: "1.0, 2.0, 10.0", items: []string{"1.0", "2.0", "10.0"}}
	for columns, want := range map[int]string{14: "1.0, 2.0, 10.0", 13: "2.0, 10.0 +1", 12: "2.0, 10.0 +1", 11: "10.0 +2", 7: "10.0 +2", 6: "1.0, …"} {
		g := &grid{columns: []report.Column{{Unit: report.List}}}
		if got := g.draw([]int{columns}, []cell{c}); got != want {
			t.Errorf("in %d columns %q, want %q", columns, got, want)
		}
	}
}

// Batches are drawn apart and must look like one table.
func TestBatchesAreOneTable(t *testing.T) {
	g := wide()
	for len(g.rows) < 2*batch+1 {
		g.rows = append(g.rows, []cell{{text: "/bin/a"}, {}, {text: "3"}, {text: "0 B"}})
	}
	var b bytes.Buffer
	p := newPrinter(&b, Options{Color: true})
	want := "\x1b[1m" + g.draw(g.widths(), []cell{{text: "Executable"}, {text: "Versions"}, {text: "Runs"}, {text: "Read"}}) +
		"\x1b[0m\n" + g.draw(g.widths(), g.rows...) + "\n\x1b[1m" + g.draw(g.widths(), g.total) + "\x1b[0m\n"
	p.lay(g)
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Any text in any room: lines are no wider than that.
func FuzzGridFits(f *testing.F) {
	f.Add("/apps/x", "1.0", 20)
	f.Add("日本語日本語日本語", "", 10)
	f.Add(strings.Repeat("x", 300), "e\u0301", 3)
	ignoreLocale()
	f.Fuzz(func(t *testing.T, a, b string, room int) {
		if room < 3 || room > 500 || len(a)+len(b) > 2000 {
			return
		}
		g := wide()
		g.rows[0][0].text = harmless(a)
		g.rows[1][1] = cell{text: harmless(a + ", " + b), items: []string{harmless(a), harmless(b)}}
		w := g.fit(room)
		lines := strings.Split(g.draw(w, append(g.rows, g.total)...), "\n")
		if len(lines) != len(g.rows)+1 {
			t.Fatalf("%d lines of %d rows: %q", len(lines), len(g.rows)+1, lines)
		}
		for _, line := range lines {
			if width(line) > room {
				t.Fatalf("%q has %d columns, room is %d", line, width(line), room)
			}
		}
	})
}
