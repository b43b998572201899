package report

import "procmon/index"

// Renamed tells which programs of an index have another name, version or kind.
type Renamed struct {
	Grid          // what became what, the most CPU time first
	Total   []any // over all rows; the names in it are nil
	DryRun  bool  // they would have
	Changes index.Reclassified
	// Unseen are programs of which only the evidence or the package is another one.
	Unseen int64
	Notes  []string // what a reader should know, in sentences
}

var renamedColumns = []Column{
	{Name: "application", Title: "Application", Missing: "(unknown)"},
	{Name: "version", Title: "Version", Rank: 1},
	{Name: "kind", Title: "Kind", Rank: 5},
	{Name: "new_application", Title: "Now", Missing: "(unknown)"},
	{Name: "new_version", Title: "Version", Rank: 1},
	{Name: "new_kind", Title: "Kind", Rank: 5},
	{Name: "programs", Title: "Programs", Unit: Count, Rank: 2},
	{Name: "runs", Title: "Runs", Unit: Count, Rank: 1},
	{Name: "cpu_seconds", Title: "CPU", Unit: Seconds, Rank: 1},
}

// NewRenamed makes a table of what naming an index again changed, or would.
func NewRenamed(done index.Reclassified, dryRun bool) *Renamed {
	t := &Renamed{Grid: Grid{Columns: renamedColumns}, DryRun: dryRun, Changes: done}
	name := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	var programs, runs int64
	var cpu float64
	for i := range done.Changes {
		c := &done.Changes[i]
		if !c.Renamed() {
			t.Unseen += c.Programs
			continue
		}
		t.Rows = append(t.Rows, []any{
			name(c.From.Name), name(c.From.Version), string(c.From.Kind), name(c.To.Name), name(c.To.Version), string(c.To.Kind),
			c.Programs, c.Runs, c.CPU.Seconds(),
		})
		programs, runs, cpu = programs+c.Programs, runs+c.Runs, cpu+c.CPU.Seconds()
	}
	t.Total = []any{nil, nil, nil, nil, nil, nil, programs, runs, cpu}
	return t
}
