package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"procmon"
)

// TestIntegrationCgroupCPU has a process work in a cgroup of each kind that this
// machine has, and compares what the cgroup counted with what wait4(2) says.
func TestIntegrationCgroupCPU(t *testing.T) {
	c, err := NewCgroupCPU("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct{ mount, controllers string }{{c.v1, "cpuacct"}, {c.v2, ""}} {
		t.Run("cgroup "+kind.mount, func(t *testing.T) {
			g := procmon.Cgroup{Controllers: kind.controllers, Path: fmt.Sprintf("/procmon-test-%d", os.Getpid())}
			dir := filepath.Join(kind.mount, g.Path)
			if kind.mount == "" || os.MkdirAll(dir+"/step", 0o755) != nil {
				t.Skip("needs such a cgroup, and root to make one")
			}
			t.Cleanup(func() {
				if err := errors.Join(syscall.Rmdir(dir+"/step"), syscall.Rmdir(dir)); err != nil {
					t.Error(err)
				}
			})
			cmd := exec.CommandContext(t.Context(), "sh", "-c", `echo $$ >"$1" && i=0 && while [ $i -lt 300000 ]; do i=$((i + 1)); done`, "sh", dir+"/step/cgroup.procs")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Skipf("can't enter the cgroup: %v: %s", err, out)
			}
			used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			got, err := c.Read(g)
			if err != nil || got < used/2 || got > 2*used+50*time.Millisecond {
				t.Errorf("the cgroup counted %v, %v; its process used %v", got, err, used)
			}
		})
	}
	if _, err := c.Read(procmon.Cgroup{Path: "/procmon-test-gone"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cgroup that is gone: %v, want ErrNotExist", err)
	}
}

// BenchmarkCgroupCPU reads a cgroup of each kind.
func BenchmarkCgroupCPU(b *testing.B) {
	c, err := NewCgroupCPU("/proc")
	if err != nil {
		b.Fatal(err)
	}
	for _, controllers := range []string{"cpuacct", ""} {
		b.Run("controllers="+controllers, func(b *testing.B) {
			if _, err := c.Read(procmon.Cgroup{Controllers: controllers, Path: "/"}); err != nil {
				b.Skip(err)
			}
			for b.Loop() {
				_, _ = c.Read(procmon.Cgroup{Controllers: controllers, Path: "/"})
			}
		})
	}
}
