package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"procmon"
)

// CgroupCPU reads what the kernel has counted for cgroups. The zero CgroupCPU
// knows of no hierarchy that is mounted.
type CgroupCPU struct {
	v1 string // where the hierarchy of cpuacct is mounted; empty: nowhere
	v2 string
}

// NewCgroupCPU looks where the cgroups are mounted, in the /proc mounted at
// root.
func NewCgroupCPU(root string) (CgroupCPU, error) {
	text, err := os.ReadFile(filepath.Join(root, "self/mountinfo"))
	if err != nil {
		return CgroupCPU{}, fmt.Errorf("cgroup mounts: %w", err)
	}
	return parseCgroupMounts(text), nil
}

// parseCgroupMounts reads /proc/PID/mountinfo (proc_pid_mountinfo(5)): of a
// mount that shows a part of its hierarchy only, paths would mean another thing.
func parseCgroupMounts(text []byte) (c CgroupCPU) {
	for line := range bytes.Lines(text) {
		mount, source, ok := strings.Cut(strings.TrimSpace(string(line)), " - ")
		fields, types := strings.Fields(mount), strings.Fields(source)
		if !ok || len(fields) < 5 || len(types) < 3 || fields[3] != "/" {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		switch {
		case types[0] == "cgroup2" && c.v2 == "":
			c.v2 = point
		case types[0] == "cgroup" && c.v1 == "" && slices.Contains(strings.Split(types[2], ","), "cpuacct"):
			c.v1 = point
		}
	}
	return c
}

// Read gives the CPU time that all processes ever in a cgroup, and in those
// below it, have used in it: cpuacct.usage
// (Documentation/admin-guide/cgroup-v1/cpuacct.rst) or usage_usec of cpu.stat
// (Documentation/admin-guide/cgroup-v2.rst). It fails when the cgroup is gone.
func (c CgroupCPU) Read(g procmon.Cgroup) (time.Duration, error) {
	if g.Controllers != "" {
		text, err := readBelow(c.v1, g.Path, "cpuacct.usage")
		if err != nil {
			return 0, err
		}
		return parseCPU(bytes.TrimSpace(text), time.Nanosecond)
	}
	text, err := readBelow(c.v2, g.Path, "cpu.stat")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("usage_usec ")); ok {
			return parseCPU(value, time.Microsecond)
		}
	}
	return 0, fmt.Errorf("cpu.stat: %w: no usage_usec", ErrFormat)
}

func readBelow(mount, path, name string) ([]byte, error) {
	if mount == "" {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	return os.ReadFile(filepath.Join(mount, path, name))
}

func parseCPU(text []byte, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil || time.Duration(n) > (1<<63-1)/unit {
		return 0, fmt.Errorf("cgroup: %w: %.40q is no CPU time", ErrFormat, text)
	}
	return time.Duration(n) * unit, nil
}
