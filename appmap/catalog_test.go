package appmap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"procmon"
)

func testCatalog(t testing.TB, site ...string) *catalog {
	t.Helper()
	var files []source
	for _, text := range site {
		files = append(files, source{"site.toml", []byte(text), true})
	}
	own, err := builtinRules()
	if err != nil {
		t.Fatal(err)
	}
	c, err := buildCatalog(append(files, own...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBadRulesTellFileAndLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "[[application]]\nname = \"X\"\ncolour = 1\n", "bad.toml:3: unknown key \"application.colour\""},
		{"wrong type", "[[application]]\nname = 3\n", "bad.toml:2:"},
		{"no TOML", "[[application\n", "bad.toml:1:"},
		{"no name", "\n[[application]]\nexecutables = [\"x\"]\n", "bad.toml:2: an application needs a name"},
		{"unknown kind", "[[application]]\nname = \"A\"\n\n[[application]]\nname = \"X\"\nkind = \"toy\"\n", `bad.toml:4: application "X": unknown kind "toy"`},
		{"bad tree", "[[application]]\nname = \"X\"\ntrees = [{ path = '(' }]\n", "bad.toml:1: application \"X\": tree"},
		{"bad glob", "[[application]]\nname = \"X\"\nexecutables = [\"a[\"]\n", "bad.toml:1: application \"X\": executable"},
		{"bad main", "[[application]]\nname = \"X\"\nscript = { main = \"x\" }\n", "script.main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "bad.toml"), []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := New(Config{CatalogDir: dir})
			if !errors.Is(err, ErrCatalog) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want ErrCatalog with %q", err, tt.want)
			}
		})
	}
}

func TestCatalogDirMayBeAbsent(t *testing.T) {
	newMapper(t, Config{CatalogDir: filepath.Join(t.TempDir(), "none")})
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x.toml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{CatalogDir: dir}); !errors.Is(err, ErrCatalog) {
		t.Errorf("a directory named x.toml: error is %v", err)
	}
}

func TestSiteRulesComeFirst(t *testing.T) {
	c := testCatalog(t, `
[[application]]
name = "Our Solver"
kind = "application"
packages = ["gromacs"]
executables = ["samtools", "solve_*"]
`)
	for _, exe := range []string{"samtools", "solve_3d"} {
		if m, ok := c.executable(exe); !ok || m.entry == nil || m.entry.name != "Our Solver" {
			t.Errorf("%s: %+v", exe, m)
		}
	}
	if e := c.pkg("GROMACS"); e == nil || e.name != "Our Solver" {
		t.Errorf("package GROMACS is %+v", e)
	}
	if c.version == testCatalog(t).version {
		t.Error("the rules' version does not tell the site's rules")
	}
}

func TestSharedNamesTellTheKindOnly(t *testing.T) {
	c := testCatalog(t)
	m, ok := c.executable("mpiexec.hydra")
	if !ok || m.entry != nil || m.kind != procmon.KindLauncher {
		t.Errorf("mpiexec.hydra: %+v %v", m, ok)
	}
}

func TestExecutableVersions(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ exe, name, version string }{
		{"python3.11", "Python", "3.11"},
		{"ruby3.1", "Ruby", "3.1"},
		{"gcc-12", "GCC", "12"},
		{"octave-cli-8.2.0", "Octave", "8.2.0"},
		{"python3", "Python", ""},
		{"gmx_mpi", "GROMACS", ""},
		{"l502.exe", "Gaussian", ""},
		{"lib.exe", "", ""},
		{"xpw.x", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.exe, func(t *testing.T) {
			m, _ := c.executable(tt.exe)
			name := ""
			if m.entry != nil {
				name = m.entry.name
			}
			if name != tt.name || m.version != tt.version {
				t.Errorf("got %q %q, want %q %q", name, m.version, tt.name, tt.version)
			}
		})
	}
}

func TestPackageNames(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ pkg, want string }{
		{"gromacs", "GROMACS"}, {"GROMACS", "GROMACS"}, {"gromacs-mpich", "GROMACS"}, {"py-deeptools", "deepTools"},
		{"quantum-espresso", "Quantum ESPRESSO"}, {"python3.11-minimal", "Python"}, {"ncbi-blast+", "BLAST+"},
		{"openmpi-bin", "Open MPI"}, {"cray-python", "Python"}, {"nothing-known", ""}, {"", ""}, {"blast+", "BLAST+"},
	}
	for _, tt := range tests {
		t.Run(tt.pkg, func(t *testing.T) {
			name := ""
			if e := c.pkg(tt.pkg); e != nil {
				name = e.name
			}
			if name != tt.want {
				t.Errorf("got %q, want %q", name, tt.want)
			}
		})
	}
}

// TestCatalogIsSound holds the embedded files to rules that no single case
// shows: no name twice, and no name so short or common that a user's own
// program would get it.
func TestCatalogIsSound(t *testing.T) {
	c := testCatalog(t)
	seen := map[string]bool{}
	for _, e := range c.entries {
		if seen[fold(e.name)] {
			t.Errorf("%q stands in the catalogue twice", e.name)
		}
		seen[fold(e.name)] = true
	}
	common := []string{"a.out", "main", "run", "test", "solver", "prog", "program", "sim", "simulate", "model", "app", "job", "code", "bench", "benchmark", "analysis", "fit", "server", "client", "worker", "demo", "hello", "driver", "start", "submit", "process", "standard"}
	for _, name := range common {
		m, ok := c.executable(name)
		if ok && m.kind != procmon.KindSystem {
			t.Errorf("the common name %q is claimed: %+v", name, m)
		}
	}
}

func TestClass(t *testing.T) {
	c := testCatalog(t)
	if e := c.class("org.apache.spark.deploy.SparkSubmit"); e == nil || e.name != "Spark" {
		t.Errorf("SparkSubmit is %+v", e)
	}
	if e := c.class("org.apache.sparkling.Main"); e != nil {
		t.Errorf("a longer word matches: %+v", e)
	}
}

func TestEnvListsWhatIsRead(t *testing.T) {
	for name, want := range map[string]bool{
		"LOADEDMODULES": true, "_LMFILES_": true, "EBROOTGROMACS": true, "EBVERSIONGROMACS": true, "SINGULARITY_NAME": true,
		"PATH": false, "SLURM_JOB_ID": false, "LOADEDMODULES2": false,
	} {
		if wanted(name) != want {
			t.Errorf("wanted(%s) = %v", name, !want)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte("[[application]]\nname = \"X\"\nexecutables = [\"x{version}\"]\n"))
	f.Add([]byte("[layout]\nsoftware = [\"a\"]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := buildCatalog([]source{{"fuzz.toml", data, true}})
		if err != nil {
			if !errors.Is(err, ErrCatalog) {
				t.Errorf("%v does not wrap ErrCatalog", err)
			}
			return
		}
		c.executable("gmx_mpi")
		c.pkg("py-x-bin")
		c.plain("/apps/x/1.2/bin/x", "x")
		c.vendor("/apps/x/1.2/bin/x")
	})
}
