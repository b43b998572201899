package procfs

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

func TestParseCgroup(t *testing.T) {
	text := "9:name=systemd:/\n4:cpu,cpuacct:/slurm/uid_1/job_2/step_0/task_0\n1:freezer:/a b/c:d\\012e\n0::/system.slice/x.scope (deleted)\n"
	want := []procmon.Cgroup{
		{Hierarchy: 9, Controllers: "name=systemd", Path: "/"},
		{Hierarchy: 4, Controllers: "cpu,cpuacct", Path: "/slurm/uid_1/job_2/step_0/task_0"},
		{Hierarchy: 1, Controllers: "freezer", Path: "/a b/c:d\\012e"},
		{Hierarchy: 0, Path: "/system.slice/x.scope (deleted)"},
	}
	got, err := ParseCgroup([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseCgroupKeepsGoodLines(t *testing.T) {
	got, err := ParseCgroup([]byte("x\n1:freezer:/ok\n:::\n2:only\n-1:a:/\n99999999999999999999:a:/\n0::/v2"))
	if !errors.Is(err, ErrFormat) {
		t.Errorf("error %v, want %v", err, ErrFormat)
	}
	want := []procmon.Cgroup{{Hierarchy: 1, Controllers: "freezer", Path: "/ok"}, {Path: "/v2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseCgroup(f *testing.F) {
	f.Add([]byte("1:freezer:/a\n0::/\n"))
	f.Add([]byte("::\n1::\n1:a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		groups, err := ParseCgroup(b)
		if err != nil {
			return
		}
		// Without an error every line is in the result, and gives itself back.
		if n := len(strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")); len(b) > 0 && n != len(groups) {
			t.Errorf("%q: %d lines, %d cgroups", b, n, len(groups))
		}
	})
}
