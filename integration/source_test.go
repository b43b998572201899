package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// source is a way to see programs, as the setting of that name has it.
type source string

// exact says that the source misses nothing, and that what finds no room is
// counted one by one. The process connector can't promise that: a process may
// be gone, or be another program, before it is read.
func (s source) exact() bool { return s == "bpf" }

// args are the daemon's own flags for the source. What it leaves in the kernel
// is gone with the test.
func (s source) args(t *testing.T, f *fixture) []string {
	t.Helper()
	args := []string{"--source", string(s)}
	if s != "bpf" {
		return args
	}
	dir := f.tempDir(t)
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "bpf", "procmon-test", dir).CombinedOutput(); err != nil {
		t.Skipf("can't mount a BPF filesystem here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		for _, argv := range [][]string{{f.program("procmond"), "detach", "--bpf-pin", dir + "/pins"}, {"umount", dir}} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v: %s", argv, err, out)
			}
		}
	})
	return append(args, "--bpf-pin", dir+"/pins")
}

// eachSource runs a test once with each source that this machine allows.
func eachSource(t *testing.T, f *fixture, test func(t *testing.T, s source)) {
	t.Helper()
	for _, s := range []source{"procconn", "bpf"} {
		t.Run(string(s), func(t *testing.T) {
			f.canUse(t, s)
			test(t, s)
		})
	}
}

// best is the source that misses nothing, where this machine allows it.
func (f *fixture) best(t *testing.T) source {
	t.Helper()
	if err := f.check(t, "bpf", "--source", "bpf", "--bpf-pin", "off"); err != nil {
		t.Logf("with source procconn: %v", err)
		return "procconn"
	}
	return "bpf"
}

// canUse skips a test when procmond says that it can't see programs in this way.
func (f *fixture) canUse(t *testing.T, s source) {
	t.Helper()
	if err := f.check(t, s, s.args(t, f)...); err != nil {
		t.Skip(err)
	}
}

func (f *fixture) check(t *testing.T, s source, args ...string) error {
	t.Helper()
	config := f.tempDir(t) + "/procmond.toml"
	f.empty(t, config)
	args = append([]string{"check", "--config", config, "--index-path", "off", "--syslog-address", "off", "--jobs-dir", f.dir}, args...)
	cmd := exec.CommandContext(t.Context(), f.program("procmond"), args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("no source %s here: %w: %s", s, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// tool compiles a C program of testdata once and gives its path.
func (f *fixture) tool(t *testing.T, name string, flags ...string) string {
	t.Helper()
	needs(t, "gcc")
	path := f.program("tool-" + name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	args := append([]string{"-O2", "-Wall", "-Wextra", "-pthread", "-o", path, "testdata/" + name + ".c"}, flags...)
	// A static program starts faster; not every system has what it takes.
	if exec.CommandContext(t.Context(), "gcc", append(args, "-static")...).Run() != nil {
		output(t, exec.CommandContext(t.Context(), "gcc", args...))
	}
	return path
}

// dynamicTool is tool, linked with shared libraries.
func (f *fixture) dynamicTool(t *testing.T, name string) string {
	t.Helper()
	needs(t, "gcc")
	path := f.program("dynamic-" + name)
	if _, err := os.Stat(path); err != nil {
		output(t, exec.CommandContext(t.Context(), "gcc", "-O2", "-pthread", "-o", path, "testdata/"+name+".c"))
	}
	return path
}
