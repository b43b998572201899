package procfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"procmon"
)

func TestCgroupMounts(t *testing.T) {
	for _, tt := range []struct {
		name, mounts string
		want         CgroupCPU
	}{
		{"none", "23 1 8:1 / / rw - ext4 /dev/sda rw\n", CgroupCPU{}},
		{"v2", "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", CgroupCPU{v2: "/sys/fs/cgroup"}},
		{"hybrid", "32 31 0:29 / /sys/fs/cgroup/cpu\\040x,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
			"34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", CgroupCPU{v1: "/sys/fs/cgroup/cpu x,cpuacct", v2: "/sys/fs/cgroup/unified"}},
		{"a part of it", "31 23 0:28 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", CgroupCPU{}},
		{"cut short", "31 23 0:28 / /sys/fs/cgroup rw -\n31 - cgroup2\n\n", CgroupCPU{}},
	} {
		if got := parseCgroupMounts([]byte(tt.mounts)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestCgroupCPU(t *testing.T) {
	dir := t.TempDir()
	c := CgroupCPU{v1: dir + "/v1", v2: dir + "/v2"}
	for path, text := range map[string]string{
		"v1/job/cpuacct.usage":   "1500000001\n",
		"v1/bad/cpuacct.usage":   "-1\n",
		"v2/job/cpu.stat":        "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n",
		"v2/bad/cpu.stat":        "user_usec 1\n",
		"v2/too much/cpu.stat":   "usage_usec 9223372036854775807\n",
		"v2/job/cpu.stat.unused": "",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		controllers, path string
		want              time.Duration
	}{
		{"cpu,cpuacct", "/job", 1500000001},
		{"", "/job", 2500 * time.Millisecond},
		{"cpuacct", "/bad", -1},
		{"cpuacct", "/gone", -1},
		{"", "/bad", -1},
		{"", "/too much", -1},
		{"", "/gone", -1},
	} {
		got, err := c.Read(procmon.Cgroup{Controllers: tt.controllers, Path: tt.path})
		if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
			t.Errorf("%q %s: %v, %v; want %v", tt.controllers, tt.path, got, err, tt.want)
		}
	}
	if got, err := (CgroupCPU{}).Read(procmon.Cgroup{Path: "/job"}); err == nil {
		t.Errorf("not mounted: %v, want an error", got)
	}
}
