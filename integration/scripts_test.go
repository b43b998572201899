package integration

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree copies what scripts/install.sh takes, with stand-ins for the programs.
func installTree(t *testing.T) string {
	t.Helper()
	from, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, part := range []string{"scripts", "contrib"} {
		if err := os.CopyFS(dir+"/"+part, os.DirFS(from+"/"+part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"procmond", "procmon-report"} {
		if err := os.WriteFile(dir+"/bin/"+name, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func script(t *testing.T, tree, dest, prefix, action string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", tree+"/scripts/install.sh", action)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DESTDIR=" + dest, "PREFIX=" + prefix}
	return output(t, cmd)
}

// files lists what is below a directory, with modes.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, info.Mode().String()+" "+strings.TrimPrefix(path, dir))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestInstall(t *testing.T) {
	tree, dest := installTree(t), t.TempDir()
	said := script(t, tree, dest, "/usr", "install")
	want := []string{
		"-rw-r--r-- /etc/logrotate.d/procmon",
		"-rw-r--r-- /etc/procmon/procmond.toml",
		"-rw-r--r-- /etc/rsyslog.d/procmon.conf",
		"-rw-r--r-- /usr/lib/systemd/system/procmond.service",
		"-rw-r--r-- /usr/lib/sysusers.d/procmon.conf",
		"-rw-r--r-- /usr/lib/tmpfiles.d/procmon.conf",
		"-rwxr-xr-x /usr/bin/procmon-report",
		"-rwxr-xr-x /usr/bin/procmond",
		"-rwxr-xr-x /usr/libexec/procmon/epilog.sh",
		"-rwxr-xr-x /usr/libexec/procmon/prolog.sh",
	}
	got := slices.DeleteFunc(files(t, dest), func(f string) bool {
		return strings.Contains(f, "/libexec/procmon/pbs/") || strings.Contains(f, "/man/") || strings.Contains(f, "complet") || strings.Contains(f, "/zsh/")
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
	for _, dir := range []string{"/var/lib/procmon", "/run/procmon/jobs", "/etc/procmon/catalog.d"} {
		if info, err := os.Stat(dest + dir); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, text := range []string{"Prolog=/usr/libexec/procmon/prolog.sh", "Epilog=/usr/libexec/procmon/epilog.sh", "systemctl enable --now procmond"} {
		if !strings.Contains(said, text) {
			t.Errorf("install does not say %q:\n%s", text, said)
		}
	}
}

func TestInstallBelowAPrefix(t *testing.T) {
	tree, dest := installTree(t), t.TempDir()
	said := script(t, tree, dest, "/opt/procmon", "install")
	unit, err := os.ReadFile(dest + "/opt/procmon/lib/systemd/system/procmond.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "\nExecStart=/opt/procmon/bin/procmond run\n") {
		t.Errorf("the unit runs another program:\n%s", unit)
	}
	if !strings.Contains(said, "Prolog=/opt/procmon/libexec/procmon/prolog.sh") {
		t.Errorf("install names another prolog:\n%s", said)
	}
}

// What an administrator has changed is kept, by install and by uninstall.
func TestInstallKeepsChanges(t *testing.T) {
	tree, dest := installTree(t), t.TempDir()
	script(t, tree, dest, "/usr", "install")
	changed := map[string]string{
		"/etc/rsyslog.d/procmon.conf": "# mine\n", "/etc/procmon/procmond.toml": "start_after = \"3s\"\n",
		"/var/lib/procmon/procmon.db": "data",
	}
	for path, text := range changed {
		if err := os.WriteFile(dest+path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script(t, tree, dest, "/usr", "install")
	if _, err := os.Stat(dest + "/etc/rsyslog.d/procmon.conf.procmon-new"); err != nil {
		t.Errorf("the new file is not laid beside the changed one: %v", err)
	}
	said := script(t, tree, dest, "/usr", "uninstall")
	for path, text := range changed {
		if got, err := os.ReadFile(dest + path); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v; want what the administrator wrote", path, got, err)
		}
	}
	for _, f := range files(t, dest+"/usr") {
		t.Errorf("uninstall leaves %s", f)
	}
	if !strings.Contains(said, "/var/lib/procmon") {
		t.Errorf("uninstall does not say what it keeps:\n%s", said)
	}
}

// TestIntegrationConfigFile holds contrib/procmond.toml to the program: with
// every line uncommented it sets every setting, to its default.
func TestIntegrationConfigFile(t *testing.T) {
	f := setUp(t)
	text, err := os.ReadFile(f.tree + "/contrib/procmond.toml")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAll(text, []byte("$1"))
	config := func(text []byte) string {
		path := f.tempDir(t) + "/procmond.toml"
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), f.program("procmond"), "config", "--config", path)
		cmd.Env = []string{}
		return output(t, cmd)
	}
	values := func(said string) (values, defaults []string) {
		for l := range strings.Lines(said) {
			value, origin, _ := strings.Cut(l, " # ")
			values = append(values, strings.TrimSpace(value))
			if strings.TrimSpace(origin) == "default" {
				defaults = append(defaults, strings.TrimSpace(value))
			}
		}
		return values, defaults
	}
	got, left := values(config(all))
	want, _ := values(config(text))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the file tells other defaults (-program +file):\n%s", diff)
	}
	if len(left) > 0 {
		t.Errorf("the file lacks %q", left)
	}
}

// TestIntegrationDemo runs the demo from a directory that users can't read. It
// must show the reports and leave nothing behind.
func TestIntegrationDemo(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch", "slurmd", "munged", "setpriv")
	dir := t.TempDir() // its parent is closed to other users
	for _, part := range []string{"scripts", "contrib"} {
		if err := os.CopyFS(dir+"/"+part, os.DirFS(f.tree+"/"+part)); err != nil {
			t.Fatal(err)
		}
	}
	// The build is not what is tested here: a go that finds it done.
	fake := dir + "/go"
	if err := os.WriteFile(fake, []byte("#!/bin/sh\nmkdir -p bin && cp "+f.dir+"/bin/* bin/\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := leftovers(t)
	cmd := exec.CommandContext(t.Context(), dir+"/scripts/demo.sh")
	cmd.Env = append(os.Environ(), "GO="+fake)
	said := output(t, cmd)
	for _, text := range []string{"procmon-report --by-application", "procmon-report job 1", "Python", `"dataset": "procmon.run"`, "pool.py"} {
		if !strings.Contains(said, text) {
			t.Errorf("the demo does not show %q", text)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
	if diff := cmp.Diff(before, leftovers(t)); diff != "" {
		t.Errorf("the demo leaves something behind (-before +after):\n%s", diff)
	}
}

// leftovers lists what a demo makes outside its tree.
func leftovers(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("/tmp/procmon-demo.*")
	if err != nil {
		t.Fatal(err)
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(passwd)) {
		if strings.HasPrefix(l, "pmdemo") {
			dirs = append(dirs, l)
		}
	}
	return dirs
}
