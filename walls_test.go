package procmon_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wall is what a package, and all below it when the path ends in "/...", may
// import of this module. Packages not named here are free: those in cmd/ wire
// everything.
type wall struct {
	path string
	may  []string
}

var walls = []wall{
	{"procmon", nil},
	{"procmon/collector", []string{"procmon"}},
	{"procmon/collector/procfs", []string{"procmon"}},
	{"procmon/collector/procconn", []string{"procmon", "procmon/collector/procfs"}},
	{"procmon/collector/bpf", []string{"procmon"}},
	{"procmon/collector/syslog", []string{"procmon"}},
	{"procmon/jobmap", []string{"procmon"}},
	{"procmon/accounting", []string{"procmon"}},
	{"procmon/jsonlines", []string{"procmon"}},
	{"procmon/appmap", []string{"procmon"}},
	{"procmon/index", []string{"procmon"}},
	{"procmon/report/...", []string{"procmon", "procmon/index", "procmon/report/..."}},
}

// only says which packages may import a library, but for tests; a package below
// counts too.
var only = map[string][]string{
	"github.com/urfave/cli/v2":        {"procmon/cmd"},
	"github.com/pelletier/go-toml/v2": {"procmon/cmd", "procmon/appmap"},
	"github.com/jedib0t/go-pretty/v6": {"procmon/report"},
	"github.com/mattn/go-sqlite3":     {"procmon/index", "procmon/appmap"},
	"github.com/mdlayher/netlink":     {"procmon/collector"},
	"github.com/cilium/ebpf":          {"procmon/collector/bpf"},
	"github.com/mdlayher/genetlink":   {"procmon/collector"},
}

// forbidden must not be imported anywhere, tests included; nor must "log".
var forbidden = []string{
	"github.com/stretchr/testify", "gopkg.in/yaml.v2", "gopkg.in/yaml.v3",
	"go.yaml.in", "sigs.k8s.io/yaml", "github.com/sirupsen/logrus", "go.uber.org/zap",
}

// systemCalls may be imported in files for Linux only.
var systemCalls = []string{"golang.org/x/sys/unix", "github.com/mdlayher/netlink", "github.com/mdlayher/genetlink"}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Dir             string
	Standard                    bool
	Imports                     []string
	TestImports, XTestImports   []string
	Deps                        []string
	GoFiles, CgoFiles           []string
	IgnoredGoFiles, TestGoFiles []string
	XTestGoFiles                []string
}

func (p *pkg) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles)
}

// packages lists the module's own packages, and by import path all they need.
func packages(t *testing.T) (own []*pkg, all map[string]*pkg) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json", "./...")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	all = map[string]*pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
		if inModule(p.ImportPath) {
			own = append(own, p)
		}
	}
	return own, all
}

func inModule(path string) bool { return below(path, "procmon") }

// below says whether path is dir or lies in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// matches is below for patterns that end in "/...", else equality.
func matches(path, pattern string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return below(path, dir)
	}
	return path == pattern
}

func TestImportWalls(t *testing.T) {
	own, all := packages(t)
	for _, p := range own {
		for _, bad := range wallBreaks(p) {
			t.Errorf("%s imports %s, which is behind a wall", p.ImportPath, bad)
		}
		for _, imp := range p.Imports {
			if p.ImportPath == "procmon" && !inModule(imp) && !all[imp].Standard {
				t.Errorf("the root package imports %s, which is not of the standard library", imp)
			}
		}
	}
}

// wallBreaks lists what p imports of the module and may not.
func wallBreaks(p *pkg) []string {
	i := slices.IndexFunc(walls, func(w wall) bool { return matches(p.ImportPath, w.path) })
	if i < 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Imports), func(imp string) bool {
		return !inModule(imp) || slices.ContainsFunc(walls[i].may, func(m string) bool { return matches(imp, m) })
	})
}

func TestLibrariesStayInTheirPlace(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		for _, imp := range p.Imports {
			for lib, places := range only {
				if below(imp, lib) && !slices.ContainsFunc(places, func(dir string) bool { return below(p.ImportPath, dir) }) {
					t.Errorf("%s imports %s; only %v may", p.ImportPath, imp, places)
				}
			}
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if isForbidden(imp) {
				t.Errorf("%s imports %s, which nothing may", p.ImportPath, imp)
			}
		}
	}
}

func isForbidden(imp string) bool {
	return imp == "log" || slices.ContainsFunc(forbidden, func(bad string) bool { return below(imp, bad) })
}

// The daemon runs as root: what it does not need is not in it.
func TestDaemonCarriesNoReports(t *testing.T) {
	_, all := packages(t)
	daemon := all["procmon/cmd/procmond"]
	if daemon == nil {
		t.Skip("no procmon/cmd/procmond yet")
	}
	for _, dep := range daemon.Deps {
		for _, bad := range []string{"procmon/report", "github.com/jedib0t/go-pretty/v6", "testing"} {
			if below(dep, bad) {
				t.Errorf("procmond depends on %s", dep)
			}
		}
	}
}

func TestSystemCallsAreInLinuxFiles(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		for _, name := range p.files() {
			base := strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
			if strings.HasSuffix(base, "_linux") {
				continue
			}
			for _, imp := range parse(t, filepath.Join(p.Dir, name)).Imports {
				path := strings.Trim(imp.Path.Value, `"`)
				if slices.Contains(systemCalls, path) {
					t.Errorf("%s/%s imports %s: system calls live in *_linux.go", p.ImportPath, name, path)
				}
			}
		}
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	own, _ := packages(t)
	for _, p := range own {
		var documented []string
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			if parse(t, filepath.Join(p.Dir, name)).Doc != nil {
				documented = append(documented, name)
			}
		}
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && len(documented) != 1 {
			t.Errorf("%s: %d files with a package comment %v, want 1", p.ImportPath, len(documented), documented)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		for _, decl := range parse(t, path).Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The walls must be able to fail.
func TestWallBreaksAreFound(t *testing.T) {
	for _, c := range []struct {
		path    string
		imports []string
		want    []string
	}{
		{"procmon/jobmap", []string{"fmt", "procmon"}, []string{}},
		{"procmon/jobmap", []string{"procmon/index"}, []string{"procmon/index"}},
		{"procmon/report/render", []string{"procmon/report", "procmon/collector"}, []string{"procmon/collector"}},
		{"procmon/collector/procconn", []string{"procmon/collector/procfs"}, []string{}},
		{"procmon/collector", []string{"procmon/collector/procfs"}, []string{"procmon/collector/procfs"}},
		{"procmon/cmd/procmond", []string{"procmon/index"}, nil},
	} {
		if got := wallBreaks(&pkg{ImportPath: c.path, Imports: c.imports}); !slices.Equal(got, c.want) {
			t.Errorf("%s importing %v: %v, want %v", c.path, c.imports, got, c.want)
		}
	}
}
