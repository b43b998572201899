package appmap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// siteRules loads the built-in rules with a site's file before them.
func loadRules(t testing.TB, text string) *Rules {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := LoadRules(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRenameChangesNothing: by the same rules a recorded answer stays what it
// was, whatever files it rested on, and they are not there any more.
func TestRenameChangesNothing(t *testing.T) {
	r, err := LoadRules("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range allCases(t) {
		m := newMapper(t, Config{Root: rootOf(t, c.Files)})
		was := m.Identify(context.Background(), c.Process.process())
		got := r.Rename(c.Process.Exe, was)
		if diff := cmp.Diff(was, got); diff != "" {
			t.Errorf("%s: %s %s (-recorded +renamed):\n%s", c.ID, c.Process.Exe, strings.Join(c.Process.Args, " "), diff)
		}
	}
}

func TestRename(t *testing.T) {
	r := loadRules(t, `
[[application]]
name = "Flow Solver"
packages = ["flowsolver", "libflow-tools"]
executables = ["fsolve_*"]
trees = [{ path = 'flow/fs(\d)(\d+)' }]

[[application]]
name = "Trainer"
modules = ["trainer"]
`)
	app := func(name, version, kind, pkg, evidence string) procmon.Application {
		return procmon.Application{Name: name, Version: version, Kind: procmon.AppKind(kind), Package: pkg, Evidence: evidence, Rules: "old"}
	}
	script := func(a procmon.Application, script string) procmon.Application { a.Script = script; return a }
	image := func(a procmon.Application, image string) procmon.Application { a.Image = image; return a }
	for _, c := range []struct {
		what, exe string
		was, want procmon.Application
	}{
		{"no name until now", "/home/u1/fsolve_mpi", app("", "", "unknown", "", ""), app("Flow Solver", "", "application", "", "names")},
		{"no name until now, in a tree", "/apps/flow/fs212/x/solve", app("", "", "unknown", "", ""), app("Flow Solver", "2.12", "application", "flow/fs212", "layout")},
		{"a name that its rule lost", "/home/u1/bin/gone", app("Gone", "", "application", "", "names"), app("", "", "unknown", "", "")},
		{"a layout that a better rule explains", "/apps/flow/fs212/x/solve", app("flow", "212", "application", "flow/fs212", "layout"), app("Flow Solver", "2.12", "application", "flow/fs212", "layout")},
		{"a distribution's package that the path does not tell", "/usr/bin/fsrun", app("libflow", "1.4", "application", "libflow-tools 1.4-2+b1", "dpkg"), app("Flow Solver", "1.4", "application", "libflow-tools 1.4-2+b1", "dpkg")},
		{"a system tool by its section", "/usr/bin/xyzzy", app("xyzzy", "1.0", "system", "xyzzy 1.0-1", "dpkg"), app("xyzzy", "1.0", "system", "xyzzy 1.0-1", "dpkg")},
		{"rpm", "/usr/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver-1.4-2.el9", "rpm"), app("Flow Solver", "1.4", "application", "flowsolver-1.4-2.el9", "rpm")},
		{"conda", "/home/u1/envs/x/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver-1.4-h2_0", "conda"), app("Flow Solver", "1.4", "application", "flowsolver-1.4-h2_0", "conda")},
		{"conda, of another name's executable", "/home/u1/envs/x/bin/fsolve_mpi", app("other", "2", "application", "other-2-h2_0", "conda"), app("other", "2", "application", "other-2-h2_0", "conda")},
		{"a note", "/opt/x/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver 1.4-2", "note"), app("Flow Solver", "1.4", "application", "flowsolver 1.4-2", "note")},
		{"a spec of Spack", "/apps/view/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver-1.4", "spack"), app("Flow Solver", "1.4", "application", "flowsolver-1.4", "spack")},
		{"EasyBuild's record", "/data/stack/a1/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver-1.4-foss-2023a", "easybuild"), app("Flow Solver", "1.4", "application", "flowsolver-1.4-foss-2023a", "easybuild")},
		{"an environment's EasyBuild module", "/home/u1/flowsolver/x1.4/bin/fsrun", app("flowsolver", "", "application", "flowsolver/x1.4", "easybuild"), app("Flow Solver", "", "application", "flowsolver/x1.4", "easybuild")},
		{"a module", "/home/u1/my/flowsolver/1.4/bin/fsrun", app("flowsolver", "1.4", "application", "flowsolver/1.4", "module"), app("Flow Solver", "1.4", "application", "flowsolver/1.4", "module")},
		{"a module in whose tree it is", "/home/u1/my/else/1.4/bin/run", app("else", "1.4", "application", "else/1.4", "module"), app("else", "1.4", "application", "else/1.4", "module")},
		{"a distribution's wheel", "/home/u1/v/bin/tool", app("tool", "3.1", "application", "tool-3.1", "dist-info"), app("tool", "3.1", "application", "tool-3.1", "dist-info")},
		{"a wheel where a tree is known by now", "/apps/flow/fs212/bin/tool", app("tool", "3.1", "application", "tool-3.1", "dist-info"), app("Flow Solver", "2.12", "application", "flow/fs212", "layout")},
		{"a module that Python ran, of a wheel", "/usr/bin/python3.11", script(app("tool", "3.1", "script", "tool-3.1", "dist-info"), "tool.cli"), script(app("tool", "3.1", "script", "tool-3.1", "dist-info"), "tool.cli")},
		{"a module that Python ran", "/usr/bin/python3.11", script(app("Python", "3.11.2", "interpreter", "python3.11 3.11.2-6", "dpkg"), "trainer.run"), script(app("Trainer", "", "script", "", "names"), "trainer.run")},
		{"a script of somebody's", "/usr/bin/python3.11", script(app("Python", "3.11.2", "interpreter", "python3.11 3.11.2-6", "dpkg"), "/home/u1/a.py"), script(app("Python", "3.11.2", "interpreter", "python3.11 3.11.2-6", "dpkg"), "/home/u1/a.py")},
		{"a script in a tree", "/usr/bin/bash", script(app("Bash", "5.2", "shell", "bash 5.2-1", "dpkg"), "/apps/flow/fs212/bin/go"), script(app("Flow Solver", "2.12", "script", "flow/fs212", "layout"), "/apps/flow/fs212/bin/go")},
		{"a main class, of a class path that is not recorded", "/usr/bin/java", script(app("Spark", "3.5.0", "application", "spark/3.5.0", "layout"), "org.apache.spark.deploy.SparkSubmit"), script(app("Spark", "3.5.0", "application", "spark/3.5.0", "layout"), "org.apache.spark.deploy.SparkSubmit")},
		{"an image", "/usr/local/bin/fsolve_x", image(app("", "", "unknown", "", ""), "/img/flowsolver_2.3.sif"), image(app("Flow Solver", "2.3", "application", "", "names"), "/img/flowsolver_2.3.sif")},
		{"what a loader ran", "/usr/lib64/ld-linux-x86-64.so.2", app("BWA", "0.7.15", "application", "bwa/0.7.15", "layout"), app("BWA", "0.7.15", "application", "bwa/0.7.15", "layout")},
		{"evidence that these rules don't know", "/home/u1/fsolve_mpi", app("Other", "1", "application", "x", "oracle"), app("Other", "1", "application", "x", "oracle")},
		{"a tool of BusyBox", "/bin/busybox", app("BusyBox", "", "shell", "", "names"), app("BusyBox", "", "shell", "", "names")},
		{"a file that was replaced", "/usr/bin/fsrun (deleted)", app("flowsolver", "", "application", "", "dpkg"), app("Flow Solver", "", "application", "", "dpkg")},
		{"nothing", "", app("", "", "unknown", "", ""), app("", "", "unknown", "", "")},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := r.Rename(c.exe, c.was)
			again := r.Rename(c.exe, got)
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("a second time (-first +second):\n%s", diff)
			}
			if got.Rules != "old" && got.Rules != r.catalog.version {
				t.Errorf("rules %q", got.Rules)
			}
			got.Rules = "old"
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzRename: whatever stands in an index, naming it again ends and is settled
// after the first time.
func FuzzRename(f *testing.F) {
	r, err := LoadRules("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("/usr/bin/python3.11", "/apps/x/1.0/bin/t.py", "x", "1.0", "x 1.0-1", "dpkg", "", "script")
	f.Add("/home/u1/flowsolver/x1.4/bin/fsrun", "", "flowsolver", "", "flowsolver/x1.4", "easybuild", "", "application")
	f.Add("/usr/bin/java", "org.apache.spark.Main", "Spark", "3", "a/b", "layout", "/i/a_1.0.sif", "application")
	f.Add("/a//../b/\x00c", "m.o", "py-r-x", "-", "--", "conda", "\xff", "shell")
	f.Fuzz(func(t *testing.T, exe, script, name, version, pkg, evidence, image, kind string) {
		was := procmon.Application{Name: name, Version: version, Kind: procmon.AppKind(kind), Package: pkg, Evidence: evidence, Script: script, Image: image}
		once := r.Rename(exe, was)
		if twice := r.Rename(exe, once); twice != once {
			t.Errorf("%+v\nonce  %+v\ntwice %+v", was, once, twice)
		}
	})
}
