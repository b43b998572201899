package appmap

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"procmon"
)

func TestSubjects(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ name, exe, line, wantExe, wantScript string }{
		{"plain", "/apps/x/bin/x", "x a b", "/apps/x/bin/x", ""},
		{"deleted", "/apps/x/bin/x (deleted)", "x", "/apps/x/bin/x", ""},
		{"memory", "/memfd:x (deleted)", "x", "", ""},
		{"descriptor", "/proc/self/fd/7", "./x", "", ""},
		{"relative", "x", "x", "", ""},
		{"dots", "/a/../b", "b", "", ""},
		{"loader", "/usr/lib/ld-linux-x86-64.so.2", "ld.so --library-path /l /apps/x/bin/x a", "/apps/x/bin/x", ""},
		{"loader, relative program", "/usr/lib/ld-linux-x86-64.so.2", "ld.so ./x", "/home/u/x", ""},
		{"loader alone", "/usr/lib/ld-linux-x86-64.so.2", "ld.so --help", "/usr/lib/ld-linux-x86-64.so.2", ""},
		{"loader with an interpreter", "/lib64/ld-2.28.so", "ld.so /usr/bin/python3.9 a.py", "/usr/bin/python3.9", "/home/u/a.py"},
		{"script", "/usr/bin/python3.11", "python3 a.py", "/usr/bin/python3.11", "/home/u/a.py"},
		{"module", "/usr/bin/python3.11", "python3 -m a.b", "/usr/bin/python3.11", "a.b"},
		{"tool of an interpreter's package", "/usr/bin/pydoc3", "pydoc3 a.py", "/usr/bin/pydoc3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSubject(c, process(tt.exe, strings.Fields(tt.line)...), 0)
			if s.exe != tt.wantExe || s.script != tt.wantScript {
				t.Errorf("got %q and script %q, want %q and %q", s.exe, s.script, tt.wantExe, tt.wantScript)
			}
		})
	}
}

func TestModuleHome(t *testing.T) {
	c := testCatalog(t)
	for argv0, want := range map[string]string{
		"/home/u/venv/bin/python3": "/home/u/venv",
		"python3":                  "/usr",
		"/odd/python3":             "",
	} {
		if s := newSubject(c, process("/usr/bin/python3.11", argv0, "-m", "x"), 0); s.home != want {
			t.Errorf("%s: home is %q, want %q", argv0, s.home, want)
		}
	}
}

func TestForeign(t *testing.T) {
	c := testCatalog(t)
	tests := []struct {
		name     string
		of, host uint64
		env      string
		want     bool
	}{
		{"the host's", 1, 1, "", false},
		{"another", 2, 1, "", true},
		{"the host's, whatever the environment says", 1, 1, "SINGULARITY_NAME=x\x00", false},
		{"not known", 0, 1, "", false},
		{"not known, in a container", 0, 1, "SINGULARITY_NAME=x\x00", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &procmon.Process{Exe: "/x", MountNS: tt.of, Env: []byte(tt.env)}
			if s := newSubject(c, p, tt.host); s.foreign != tt.want {
				t.Errorf("foreign is %v", s.foreign)
			}
		})
	}
}

func TestEnvironmentIsBounded(t *testing.T) {
	p := &procmon.Process{Exe: "/x"}
	for i := range 3 * maxEnv {
		p.Env = fmt.Appendf(p.Env, "EBROOTX%d=/x\x00", i)
	}
	if s := newSubject(testCatalog(t), p, 0); len(s.env.names) != maxEnv {
		t.Errorf("%d variables kept", len(s.env.names))
	}
}

// TestSitePackages: the module that a file lies in names it when no metadata
// can be read, and what the catalogue does not know stays unknown.
func TestSitePackages(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	for script, want := range map[string]string{
		"/home/u/.local/lib/python3.9/site-packages/torch/distributed/run.py": "PyTorch",
		"/home/u/.local/lib/python3.9/site-packages/ipykernel_launcher.py":    "IPython",
		"/home/u/.local/lib/python3.9/site-packages/mine/run.py":              "Python",
	} {
		got := m.Identify(context.Background(), process("/usr/bin/python3.9", "python3", script))
		if got.Name != want || got.Script != script {
			t.Errorf("%s is %+v", script, got)
		}
	}
}

func TestWheelsOfManyNames(t *testing.T) {
	const site = "home/u/v/lib/python3.11/site-packages/"
	files := map[string]string{}
	for i := range 200 {
		d := fmt.Sprintf("%spkg%d-0.%d.dist-info/", site, i, i)
		files[d+"METADATA"] = fmt.Sprintf("Name: pkg%d\nVersion: 0.%d\n", i, i)
		files[d+"RECORD"] = fmt.Sprintf("pkg%d/__init__.py,,\n../../../bin/tool%d,,\nshared/odd%d.py,,\n", i, i, i)
	}
	m := newMapper(t, Config{Root: rootOf(t, files)})
	for script, want := range map[string]string{
		"/home/u/v/bin/tool77":            "pkg77 0.77",
		"/" + site + "pkg5/__init__.py":   "pkg5 0.5",
		"/" + site + "shared/odd123.py":   "pkg123 0.123",
		"/" + site + "shared/missing1.py": "Python 3.11",
	} {
		got := m.Identify(context.Background(), process("/usr/bin/python3.11", "/home/u/v/bin/python", script))
		if have := got.Name + " " + got.Version; have != want {
			t.Errorf("%s is %q, want %q", script, have, want)
		}
	}
}

func TestText(t *testing.T) {
	if got := bounded("aé", 2); got != "a" {
		t.Errorf("bounded cuts a character: %q", got)
	}
	if got := cleanText("a\x1b[0m\xff\nb"); got != "a[0mb" {
		t.Errorf("cleanText gives %q", got)
	}
	for _, s := range []string{"a b", "a/b", "a\n", strings.Repeat("x", 129), "é"} {
		if got := cleanWord(s); got != "" {
			t.Errorf("cleanWord(%q) = %q", s, got)
		}
	}
}
