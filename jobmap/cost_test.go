package jobmap

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"procmon"
)

// TestCostAmongStaleFacts counts the looks at files that mapping takes. They
// must not grow with the number of jobs that no epilog ever ended.
func TestCostAmongStaleFacts(t *testing.T) {
	const sluid = "sE7DM8148RYY09"
	cost := func(stale int) map[string]int {
		s := newSite(t)
		for id := range stale {
			write(t, filepath.Join(s.dir, "slurm-"+strconv.Itoa(1000+id)), line("begin", "SCHEDULER=slurm", "ID="+strconv.Itoa(1000+id)))
		}
		s.hook("begin", "5")
		s.refreshed()
		looks := 0
		open, lstat := s.openFile, s.lstat
		s.openFile = func(path string) (*os.File, error) { looks++; return open(path) }
		s.lstat = func(path string) (fs.FileInfo, error) { looks++; return lstat(path) }
		m := New(Config{Facts: s.Registry})
		costs := map[string]int{}
		count := func(name string, times int, cgroups []procmon.Cgroup, want string) {
			looks = 0
			for range times {
				if j := m.Job(&procmon.Process{UID: 1001, Cgroups: cgroups}, procmon.Job{}); j.User != want {
					t.Errorf("%s among %d: job %s of %q, want %q", name, stale, brief(j), j.User, want)
				}
			}
			costs[name] = looks
		}
		count("a known job", 100, v1Cgroups("5"), "alice")
		count("a job without facts", 100, v1Cgroups("6"), "")
		s.hook("begin", "7")
		count("a new job", 100, v1Cgroups("7"), "alice")
		s.hook("begin", "8", "SLUID="+sluid)
		s.time = s.time.Add(time.Hour)
		count("a new job by its SLUID", 100, v2Cgroups(sluid), "alice")
		count("no job", 100, []procmon.Cgroup{{Path: "/user.slice"}}, "")
		return costs
	}
	few, many := cost(10), cost(2000)
	for name, n := range many {
		if n != few[name] {
			t.Errorf("%s: %d looks at files among 2000 stale jobs, %d among 10", name, n, few[name])
		}
	}
	for name, limit := range map[string]int{"a known job": 0, "no job": 0, "a job without facts": 2, "a new job": 1, "a new job by its SLUID": 3} {
		if many[name] > limit {
			t.Errorf("%s: %d looks at files for 100 processes, want %d at most", name, many[name], limit)
		}
	}
}
