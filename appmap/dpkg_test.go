package appmap

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const statusText = `Package: bwa
Status: install ok installed
Priority: optional
Section: science
Architecture: amd64
Version: 0.7.17-7+b2
Description: aligner
 Package: not-a-field

Package: libfoo
Status: install ok installed
Section: non-free/libs
Architecture: amd64
Multi-Arch: same
Source: foo (1.2-3)
Version: 1.2-3+b1

Package: gone
Status: deinstall ok config-files
Version: 1-1
`

func TestParseStatus(t *testing.T) {
	got := parseStatus([]byte(statusText))
	want := []debPackage{
		{name: "bwa", source: "bwa", version: "0.7.17-7+b2", arch: "amd64", section: "science", priority: "optional"},
		{name: "libfoo", source: "foo", version: "1.2-3+b1", arch: "amd64", section: "libs"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(debPackage{})); diff != "" {
		t.Error(diff)
	}
}

func TestEachListed(t *testing.T) {
	list := "/.\n/bin\n/bin/ls\n/usr\n/usr/bin\n/usr/bin/bwa\n/usr/share\n/usr/share/doc\n/usr/share/doc/bwa\n/usr/share/doc/bwa/copyright\nrelative\n\n/usr/lib/x\n/usr/lib/xy"
	var got []string
	eachListed([]byte(list), func(p []byte) { got = append(got, string(p)) })
	want := []string{"/.", "/bin/ls", "/usr/bin/bwa", "/usr/lib/x", "/usr/lib/xy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func dpkgRoot(t *testing.T) string {
	return rootOf(t, map[string]string{
		"var/lib/dpkg/status":                 statusText,
		"var/lib/dpkg/info/bwa.list":          "/.\n/bin\n/bin/bwa-tool\n/usr/bin/bwa\n",
		"var/lib/dpkg/info/libfoo:amd64.list": "/usr/lib/foo\n/usr/lib/foo/helper\n",
	})
}

func TestDpkgOwner(t *testing.T) {
	f, err := openFiles(dpkgRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	d := newDpkg(f)
	for file, want := range map[string]string{
		"/usr/bin/bwa": "bwa", "/usr/bin/bwa-tool": "bwa", "/bin/bwa-tool": "bwa",
		"/usr/lib/foo/helper": "libfoo", "/lib/foo/helper": "libfoo",
		"/usr/bin/other": "", "/usr/lib/foo": "",
	} {
		if p, _ := d.owner(context.Background(), file); p.name != want {
			t.Errorf("%s is of %q, want %q", file, p.name, want)
		}
	}
}

// TestDpkgSeesUpgrades: the index follows the status file.
func TestDpkgSeesUpgrades(t *testing.T) {
	root := dpkgRoot(t)
	clock := time.Unix(0, 0)
	m := newMapper(t, Config{Root: root, Now: func() time.Time { return clock }})
	p := &procmon.Process{Exe: "/usr/bin/bwa"}
	if got := m.Identify(context.Background(), p); got.Version != "0.7.17" || got.Package != "bwa 0.7.17-7+b2" {
		t.Fatalf("got %+v", got)
	}
	status := filepath.Join(root, "var/lib/dpkg/status")
	if err := os.WriteFile(status, []byte(strings.Replace(statusText, "0.7.17-7+b2", "0.7.18-1", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := m.Identify(context.Background(), p); got.Version != "0.7.17" {
		t.Errorf("the cache is not used: %+v", got)
	}
	clock = clock.Add(keepAnswer)
	if got := m.Identify(context.Background(), p); got.Version != "0.7.18" {
		t.Errorf("after the upgrade: %+v", got)
	}
}

// TestReplacedFile: the database knows the version that took its place.
func TestReplacedFile(t *testing.T) {
	m := newMapper(t, Config{Root: dpkgRoot(t)})
	p := &procmon.Process{Exe: "/usr/bin/bwa"}
	if got := m.Identify(context.Background(), p); got.Version != "0.7.17" {
		t.Errorf("got %+v", got)
	}
	p.ExeDeleted = true
	if got := m.Identify(context.Background(), p); got.Name != "BWA" || got.Version != "" || got.Package != "" {
		t.Errorf("deleted: got %+v", got)
	}
}

// TestDpkgWaitsNoLongerThanItsCaller: somebody else holds the index.
func TestDpkgWaitsNoLongerThanItsCaller(t *testing.T) {
	f, err := openFiles(dpkgRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	d := newDpkg(f)
	d.busy <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, ok := d.owner(ctx, "/usr/bin/bwa"); ok {
		t.Error("an answer from an index that another one holds")
	}
}

// TestIntegrationDpkg asks dpkg-query which package the machine's own
// programs are of, and compares.
func TestIntegrationDpkg(t *testing.T) {
	query, err := exec.LookPath("dpkg-query")
	if err != nil {
		t.Skip("no dpkg-query on this machine")
	}
	f, err := openFiles("/")
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	d := newDpkg(f)
	compared := 0
	for _, name := range []string{"bash", "ls", "perl", "dpkg", "gcc", "git", "sed", "env", "ssh", "tar"} {
		exe, err := filepath.EvalSymlinks("/usr/bin/" + name)
		if err != nil {
			continue
		}
		got, ok := d.owner(context.Background(), exe)
		if !ok {
			t.Errorf("%s is of no package", exe)
			continue
		}
		out, err := exec.Command(query, "-W", "-f", "${Version} ${source:Package}", got.name).Output()
		if err != nil {
			t.Errorf("dpkg-query %s: %v", got.name, err)
			continue
		}
		if have := got.version + " " + got.source; have != string(out) {
			t.Errorf("%s: %q, dpkg-query says %q", exe, have, out)
		}
		compared++
	}
	t.Logf("%d programs, %d paths and %d packages in the index", compared, len(d.paths.refs), len(d.pkgs))
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(statusText))
	f.Add([]byte("Package: x\nStatus: a installed\nVersion:\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range parseStatus(data) {
			if p.name == "" || strings.ContainsAny(p.name+p.source+p.version, " \n/") {
				t.Errorf("%+v", p)
			}
			debianUpstream(p.version)
		}
		eachListed(data, func(path []byte) {
			if path[0] != '/' {
				t.Errorf("path %q", path)
			}
		})
	})
}

func BenchmarkDpkgIndex(b *testing.B) {
	if _, err := os.Stat("/var/lib/dpkg/status"); err != nil {
		b.Skip("no dpkg database on this machine")
	}
	f, err := openFiles("/")
	if err != nil {
		b.Fatal(err)
	}
	defer f.close()
	for b.Loop() {
		d := newDpkg(f)
		d.owner(context.Background(), "/usr/bin/bash")
	}
}

func BenchmarkDpkgOwner(b *testing.B) {
	var list strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&list, "/usr/lib/x/%d\n", i)
	}
	root := rootOf(b, map[string]string{"var/lib/dpkg/status": statusText, "var/lib/dpkg/info/bwa.list": list.String()})
	f, err := openFiles(root)
	if err != nil {
		b.Fatal(err)
	}
	defer f.close()
	d := newDpkg(f)
	for b.Loop() {
		d.owner(context.Background(), "/usr/lib/x/4711")
	}
}
