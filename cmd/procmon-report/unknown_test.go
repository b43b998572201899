package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/appmap"
	"procmon/report/reporttest"
)

// unnamedIndex has programs without a name, some of which users called so to do
// harm.
func unnamedIndex(t *testing.T, files ...string) string {
	t.Helper()
	var records []procmon.Record
	for n, file := range files {
		records = append(records, reporttest.Run{
			At: reporttest.Now.Add(-time.Hour), PID: int32(100 + n), User: "alice", UID: 1001, Exe: file, Args: []string{"x"},
			Elapsed: time.Minute, CPU: time.Duration(len(files)-n) * time.Minute,
		}.Record())
	}
	return reporttest.Write(t, "n1", records...)
}

// TestSnippets fills the names in: the rules are right, and they name the
// programs that they stand for.
func TestSnippets(t *testing.T) {
	index := unnamedIndex(t,
		"/home/u1/bin/flowsolve_mpi", "/home/u2/bin/flowsolve_mpi", "/home/u1/a.out", "/home/u1/evil\"]\nname = \"x\" # \x1b[2J",
		"/work/p/back\\slash{x}*", "/work/p/über?", "/memfd:x", "/x", "no/path", "/work/p/gone_prog (deleted)", "/work/p/a\x85\u2028b\U000e0001c")
	got := say(t, []string{"procmon-report", "unknown", "--snippets", "--limit", "0", "--index", index}, 0)
	want := `# Programs without a name, 2026-11-22. Fill in the names; drop what is a user's own.

# /home/u1/bin/flowsolve_mpi
# /home/u2/bin/flowsolve_mpi
# 2 runs, 0.35 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["flowsolve_mpi"]

# /home/u1/a.out
# 1 run, 0.15 CPU hours
[[application]]
name = "" # what reports shall show
# Many programs are called a.out. This would name all that lies below its directory:
# trees = [{ path = "home/u1" }]

# /home/u1/evil"]?name = "x" # ?[2J
# 1 run, 0.13 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["evil\"?\u000Aname = \"x\" # \u001B?2J"]

# /work/p/back\slash{x}*
# 1 run, 0.12 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["back?slash?x??"]

# /work/p/über?
# 1 run, 0.10 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["über?"]

# /work/p/gone_prog (deleted)
# 1 run, 0.03 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["gone_prog"]

# /work/p/a??b?c
# 1 run, 0.02 CPU hours
[[application]]
name = "" # what reports shall show
executables = ["a?\u2028b\U000E0001c"]
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	dir := t.TempDir()
	filled := strings.ReplaceAll(got, `name = "" #`, `name = "Filled In" #`)
	if err := os.WriteFile(filepath.Join(dir, "new.toml"), []byte(filled), 0o644); err != nil {
		t.Fatal(err)
	}
	rules, err := appmap.LoadRules(dir)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"/home/u2/bin/flowsolve_mpi": "Filled In", "/work/p/back\\slash{x}*": "Filled In", "/work/p/gone_prog (deleted)": "Filled In",
		"/home/u1/a.out": "", "/usr/bin/x": "",
	} {
		if app := rules.Rename(file, procmon.Application{Kind: procmon.KindUnknown}); app.Name != want {
			t.Errorf("%s is %q, want %q", file, app.Name, want)
		}
	}
}

// TestSnippetsUnfilled: rules without names are refused, and where is told.
func TestSnippetsUnfilled(t *testing.T) {
	dir := t.TempDir()
	index := unnamedIndex(t, "/home/u1/bin/flowsolve_mpi")
	argv := []string{"procmon-report", "unknown", "--snippets", "--index", index, "--output", filepath.Join(dir, "new.toml")}
	if said := say(t, argv, 0); said != "" {
		t.Error(said)
	}
	got := say(t, []string{"procmon-report", "reclassify", "--index", index, "--catalog-dir", dir}, 0)
	if !strings.Contains(got, "new.toml:5: an application needs a name") {
		t.Error(got)
	}
}
