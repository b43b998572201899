package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroup is the directory of a Slurm job's step, made as slurmstepd makes it.
type cgroup struct {
	mount string
	path  string
	job   string
}

// makeCgroup makes the step's directory: in the freezer hierarchy where there
// is one (cgroup v1), else in cgroup v2.
func makeCgroup(uid int, job string) (*cgroup, error) {
	c := &cgroup{mount: "/sys/fs/cgroup/freezer", path: fmt.Sprintf("slurm/uid_%d/job_%s/step_0", uid, job), job: job}
	if _, err := os.Stat(c.mount + "/cgroup.procs"); err != nil {
		c.mount, c.path = "/sys/fs/cgroup", "system.slice/slurmstepd.scope/job_"+job+"/step_0/user/task_0"
	}
	if err := os.MkdirAll(filepath.Join(c.mount, c.path), 0o755); err != nil {
		return nil, fmt.Errorf("cgroup of a job: %w", err)
	}
	return c, nil
}

func (c *cgroup) add(pid int) error {
	return os.WriteFile(filepath.Join(c.mount, c.path, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// end kills what is left of an interrupted workload.
func (c *cgroup) end() error {
	b, err := os.ReadFile(filepath.Join(c.mount, c.path, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(word); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
		}
	}
	return err
}

// remove takes away the job's directories, and those above that are empty. The
// kernel frees a cgroup a little after its last process.
func (c *cgroup) remove() error {
	if err := c.end(); err != nil {
		return err
	}
	for path := c.path; path != "."; path = filepath.Dir(path) {
		ours := strings.Contains(path, "job_"+c.job)
		err := os.Remove(filepath.Join(c.mount, path))
		for i := 0; err != nil && i < 50 && ours; i++ {
			time.Sleep(20 * time.Millisecond)
			_ = c.end() // make may have started one more
			err = os.Remove(filepath.Join(c.mount, path))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			if ours {
				return err
			}
			return nil // shared with others
		}
	}
	return nil
}
