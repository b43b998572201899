package integration

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// slurm is a private Slurm, whose prolog and epilog are ours.
type slurm struct {
	t       *testing.T
	conf    string
	cluster string
	nodes   []string
	cgroup  string // "v1", "v2", "none"
	jobcomp string // file of jobcomp/filetxt
}

// startSlurm starts a Slurm of n nodes on this machine. Its prolog writes into
// jobs. The settings are of scripts/slurm-private.sh.
func startSlurm(t *testing.T, f *fixture, n int, jobs string, settings ...string) *slurm {
	t.Helper()
	needs(t, "slurmctld", "slurmd", "munged", "sbatch")
	dir := f.tempDir(t) + "/slurm"
	script := f.tree + "/scripts/slurm-private.sh"
	t.Cleanup(func() {
		if out, err := exec.Command(script, "down", dir).CombinedOutput(); err != nil {
			t.Errorf("slurm-private.sh down: %v\n%s", err, out)
		}
	})
	cmd := exec.CommandContext(t.Context(), script, "up", dir, fmt.Sprint(n))
	cmd.Env = append(append(os.Environ(), "PROCMON_JOBS_DIR="+jobs), settings...)
	output(t, cmd)
	s := &slurm{t: t}
	env, err := os.ReadFile(dir + "/env")
	if err != nil {
		t.Fatal(err)
	}
	for setting := range strings.Lines(string(env)) {
		name, value, _ := strings.Cut(strings.TrimSpace(setting), "=")
		value = strings.Trim(value, "'")
		switch name {
		case "SLURM_CONF":
			s.conf = value
		case "SLURM_PRIVATE_CLUSTER":
			s.cluster = value
		case "SLURM_PRIVATE_NODES":
			s.nodes = strings.Fields(value)
		case "SLURM_PRIVATE_CGROUP":
			s.cgroup = value
		case "SLURM_PRIVATE_JOBCOMP":
			s.jobcomp = value
		}
	}
	if len(s.nodes) != n {
		t.Skipf("this Slurm can have %d nodes on one machine, the test needs %d", len(s.nodes), n)
	}
	return s
}

// submit hands a batch script in and returns the job's id.
func (s *slurm) submit(a account, script string, args ...string) string {
	s.t.Helper()
	path := a.write(s.t, newTag()+".sh", script)
	argv := append([]string{"sbatch", "--parsable", "--output=" + a.home + "/%A_%a.out"}, args...)
	cmd := as(s.t, a, append(argv, path)...)
	cmd.Env = append(cmd.Env, "SLURM_CONF="+s.conf)
	id := strings.TrimSpace(output(s.t, cmd))
	s.t.Cleanup(func() {
		if !s.t.Failed() {
			return
		}
		for _, suffix := range []string{"_4294967294.out", "_0.out"} {
			if out, err := os.ReadFile(a.home + "/" + id + suffix); err == nil {
				s.t.Logf("job %s said:\n%s", id, out)
			}
		}
	})
	return id
}

var jobState = regexp.MustCompile(` JobState=(\w+)`)

// wait returns when the jobs are over, their epilogs included, and gives their
// records of jobcomp/filetxt by raw id. Each must have completed well.
func (s *slurm) wait(ids ...string) map[string]completed {
	s.t.Helper()
	for _, id := range ids {
		for _, state := range s.over(id) {
			if state != "COMPLETED" {
				s.t.Fatalf("job %s is %s", id, state)
			}
		}
	}
	return s.completed(ids)
}

// over waits until a job is over, however it ended, and gives the states of its
// tasks and components.
func (s *slurm) over(id string) []string {
	s.t.Helper()
	var states []string
	eventually(s.t, 2*time.Minute, func() error {
		out, err := s.command("scontrol", "show", "job", "-o", id).CombinedOutput()
		if err != nil {
			return fmt.Errorf("scontrol show job %s: %w: %s", id, err, out)
		}
		states = nil
		for _, m := range jobState.FindAllStringSubmatch(string(out), -1) {
			switch m[1] {
			case "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED":
				return fmt.Errorf("job %s is %s", id, m[1])
			}
			states = append(states, m[1])
		}
		return nil
	})
	return states
}

// command prepares a command of root that talks to this Slurm.
func (s *slurm) command(argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "SLURM_CONF="+s.conf)
	return cmd
}

// completed is a line of jobcomp/filetxt.
type completed struct {
	Raw, User, UID, ArrayJob, ArrayTask string
}

// ID is the job's id as users say it.
func (c completed) ID() string {
	if c.ArrayJob == "" {
		return c.Raw
	}
	return c.ArrayJob + "_" + c.ArrayTask
}

var userID = regexp.MustCompile(`^(.*)\((\d+)\)$`)

// completed waits until slurmctld has written the jobs' lines.
func (s *slurm) completed(ids []string) map[string]completed {
	s.t.Helper()
	var found map[string]completed
	eventually(s.t, 30*time.Second, func() error {
		text, err := os.ReadFile(s.jobcomp)
		if err != nil {
			return err
		}
		found = parseJobcomp(string(text))
		for _, id := range ids {
			if _, ok := found[id]; !ok {
				return fmt.Errorf("job %s is not in %s", id, s.jobcomp)
			}
		}
		return nil
	})
	return found
}

func parseJobcomp(text string) map[string]completed {
	found := map[string]completed{}
	for l := range strings.Lines(text) {
		var c completed
		for _, field := range strings.Fields(l) {
			switch name, value, _ := strings.Cut(field, "="); name {
			case "JobId":
				c.Raw = value
			case "UserId":
				if m := userID.FindStringSubmatch(value); m != nil {
					c.User, c.UID = m[1], m[2]
				}
			case "ArrayJobId":
				c.ArrayJob = value
			case "ArrayTaskId":
				c.ArrayTask = value
			}
		}
		found[c.Raw] = c
	}
	return found
}
