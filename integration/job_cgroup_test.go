package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// fakeJob is a cgroup where Slurm puts a job's step, without a Slurm.
type fakeJob struct {
	f    *fixture
	user account
	raw  string
	step string // directory of step 0
}

// newFakeJob makes the cgroup; below it only root can make more.
func newFakeJob(t *testing.T, f *fixture, user account, raw string) *fakeJob {
	t.Helper()
	root, path := "/sys/fs/cgroup/freezer", fmt.Sprintf("slurm_pmt%d/uid_%d/job_%s/step_0", os.Getpid(), user.uid, raw)
	if _, err := os.Stat(root); err != nil {
		root, path = "/sys/fs/cgroup", fmt.Sprintf("system.slice/pmt%d_slurmstepd.scope/job_%s/step_0/user", os.Getpid(), raw)
	}
	j := &fakeJob{f: f, user: user, raw: raw, step: filepath.Join(root, path)}
	j.make(t, j.step)
	return j
}

// make makes a cgroup for the time of the test, with those above it.
func (j *fakeJob) make(t *testing.T, dir string) {
	t.Helper()
	var made []string
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		made = append(made, at)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skipf("can't make a cgroup here: %v", err)
	}
	t.Cleanup(func() {
		for _, at := range made { // the innermost first
			eventually(t, 10*time.Second, func() error { return syscall.Rmdir(at) })
		}
	})
}

// command prepares a command of the job's user in the job's cgroup or in one
// below it.
func (j *fakeJob) command(t *testing.T, below string, argv ...string) *exec.Cmd {
	t.Helper()
	script := `echo $$ > "$1/cgroup.procs" || exit 1; cd "$2" || exit 1; uid=$3 gid=$4; shift 4
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"`
	args := append([]string{"-c", script, "sh", filepath.Join(j.step, below), j.user.home, fmt.Sprint(j.user.uid), fmt.Sprint(j.user.gid)}, argv...)
	cmd := exec.CommandContext(t.Context(), "sh", args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + j.user.home, "LC_ALL=C"}
	return cmd
}
