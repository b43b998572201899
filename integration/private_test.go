package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestIntegrationSlurmPrivate holds scripts/slurm-private.sh to its word: two
// can run at once, prolog and epilog of a job run, and nothing stays behind,
// not even of a job that is still running.
func TestIntegrationSlurmPrivate(t *testing.T) {
	f := setUpUsers(t)
	dir := f.tempDir(t)
	var nodes []string
	t.Run("up", func(t *testing.T) {
		one, two := startSlurm(t, f, 2, dir+"/one"), startSlurm(t, f, 1, dir+"/two")
		if one.cluster == two.cluster || one.nodes[0] == two.nodes[0] {
			t.Errorf("both have cluster %s and node %s", one.cluster, one.nodes[0])
		}
		for _, s := range []*slurm{one, two} {
			nodes = append(nodes, s.nodes...)
			id := s.submit(f.alice, "#!/bin/sh\nsrun /bin/true\n", "--nodes="+strconv.Itoa(len(s.nodes)))
			s.wait(id)
			s.submit(f.alice, "#!/bin/sh\nsetsid sleep 1000 &\nsleep 1000\n")
		}
		for _, jobs := range []string{"/one", "/two"} {
			text, err := os.ReadFile(dir + jobs + "/slurm-1")
			if err != nil || !strings.Contains(string(text), "begin\t") || !strings.Contains(string(text), "end\t") {
				t.Errorf("job 1 of %s: %q, %v; want what prolog and epilog wrote", jobs, text, err)
			}
		}
	})
	// The subtest's end has taken both down.
	patterns := []string{f.dir + "/t*/slurm"}
	for _, node := range nodes { // others may run a Slurm of theirs beside us
		patterns = append(patterns, "/sys/fs/cgroup/*/slurm_"+node, "/sys/fs/cgroup/*/"+node+"_slurmstepd.scope")
	}
	for _, pattern := range patterns {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	out, _ := exec.Command("ps", "-o", "pid,stat,args", "-u", f.alice.name, "--no-headers").Output()
	if strings.Contains(string(out), "sleep 1000") {
		t.Errorf("processes left behind:\n%s", out)
	}
}

// setUpUsers is setUp for tests that need no daemon.
func setUpUsers(t *testing.T) *fixture {
	t.Helper()
	if shared == nil {
		t.Skip("needs root: users are made and removed")
	}
	return shared
}
