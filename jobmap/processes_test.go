package jobmap

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"procmon"
)

// capture is one process of testdata/processes, and the job that its
// scheduler meant it to be in.
type capture struct {
	procmon.Process
	want string
}

// readCapture reads one file: a paragraph per process.
func readCapture(t testing.TB, path string) []*capture {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*capture
	for n, line := range strings.Split(string(data), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if word == "process" {
			all = append(all, &capture{})
		} else if len(all) == 0 || word == "" {
			continue
		}
		if err := all[len(all)-1].add(word, rest); err != nil {
			t.Fatalf("%s:%d: %v", path, n+1, err)
		}
	}
	for _, c := range all {
		c.Ancestors = ancestors(all, c)
	}
	return all
}

func (c *capture) add(word, rest string) error {
	switch word {
	case "process":
		var uid uint32
		_, err := fmt.Sscanf(rest, "%d parent %d uid %d comm %s", &c.Run.Process.PID, &c.PPID, &uid, &c.Comm)
		c.UID, c.EUID = uid, uid
		return err
	case "exe":
		c.Exe = rest
	case "args":
		c.Args = []byte(strings.ReplaceAll(rest, " ", "\x00"))
		if strings.HasPrefix(rest, "slurmstepd: [") {
			c.Args = []byte(rest)
		}
	case "env":
		c.Env = append(append(c.Env, rest...), 0)
	case "cgroup":
		part := strings.SplitN(rest, ":", 3)
		n, err := strconv.Atoi(part[0])
		c.Cgroups = append(c.Cgroups, procmon.Cgroup{Hierarchy: n, Controllers: part[1], Path: part[2]})
		return err
	case "want":
		c.want = rest
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func byPID(all []*capture, pid int32) *capture {
	for _, c := range all {
		if c.Run.Process.PID == pid {
			return c
		}
	}
	return nil
}

func ancestors(all []*capture, c *capture) (list []procmon.Ancestor) {
	for a := byPID(all, c.PPID); a != nil && len(list) < procmon.MaxAncestors; a = byPID(all, a.PPID) {
		list = append(list, procmon.Ancestor{ID: a.Run.Process, UID: a.UID, Comm: a.Comm, Exe: a.Exe, Args: a.Args, Cgroups: a.Cgroups})
	}
	return list
}

// mapped is the job of c when every process above it was mapped before.
func mapped(m *Mapper, all []*capture, c *capture) procmon.Job {
	var parent procmon.Job
	if a := byPID(all, c.PPID); a != nil {
		parent = mapped(m, all, a)
	}
	return m.Job(&c.Process, parent)
}

// brief writes a job as the captures do.
func brief(j procmon.Job) string {
	if j.None() {
		return strings.TrimSpace("none " + j.Conflict)
	}
	text := "job " + j.ID + " raw " + j.RawID
	for _, part := range [...][2]string{{"sluid", j.SLUID}, {"step", j.Step}, {"task", j.Task}} {
		if part[1] != "" {
			text += " " + part[0] + " " + part[1]
		}
	}
	if j.By[procmon.JobUser] != procmon.EvidenceNone && j.By[procmon.JobUser] >= j.Evidence {
		text += " uid " + strconv.Itoa(int(j.UID))
	}
	text += " by " + j.Evidence.String()
	if j.Conflict != "" {
		text += " but " + j.Conflict
	}
	return text
}

// TestProcesses maps every process of the captures of real schedulers.
func TestProcesses(t *testing.T) {
	files, err := filepath.Glob("testdata/processes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			m := New(Config{})
			all := readCapture(t, path)
			for _, c := range all {
				if got := brief(mapped(m, all, c)); got != c.want {
					t.Errorf("process %d (%s):\n got %s\nwant %s", c.Run.Process.PID, c.Comm, got, c.want)
				}
			}
		})
	}
}

// TestProcessesWithoutEnvironment maps them again with nothing that their
// users could have changed: what was proved stays.
func TestProcessesWithoutEnvironment(t *testing.T) {
	files, err := filepath.Glob("testdata/processes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	m, proved := New(Config{}), 0
	for _, path := range files {
		all := readCapture(t, path)
		var want []procmon.Job
		for _, c := range all {
			want = append(want, mapped(m, all, c))
		}
		for _, c := range all {
			c.Env = nil
		}
		for i, c := range all {
			if want[i].None() || !want[i].By[procmon.JobRawID].Proved() {
				continue
			}
			proved++
			got := mapped(m, all, c)
			if got.RawID != want[i].RawID || got.Step != want[i].Step || got.Evidence != want[i].Evidence || got.Unproved() != nil {
				t.Errorf("%s: process %d: %s without its environment, %s with it", path, c.Run.Process.PID, brief(got), brief(want[i]))
			}
		}
	}
	if proved == 0 {
		t.Error("no process has a proved job")
	}
}

// TestProcessesAsAccounted holds the jobs of the captures against what Slurm
// itself accounted: the id as users say it, the owner, and where they are known
// account and partition.
func TestProcessesAsAccounted(t *testing.T) {
	data, err := os.ReadFile("testdata/jobcomp.txt")
	if err != nil {
		t.Fatal(err)
	}
	accounted := map[string][]string{} // by raw id
	for row := range strings.Lines(string(data)) {
		if f := strings.Fields(row); f[0] != "#" {
			accounted[f[0]] = f
		}
	}
	m, compared := New(Config{}), 0
	files, err := filepath.Glob("testdata/processes/[01]*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.Contains(path, "slurm2605") {
			continue // another cluster
		}
		all := readCapture(t, path)
		for _, c := range all {
			j := mapped(m, all, c)
			if j.None() {
				continue
			}
			compared++
			want, ok := accounted[j.RawID]
			if !ok {
				t.Errorf("%s: process %d: job %s was never accounted", path, c.Run.Process.PID, j.RawID)
				continue
			}
			for i, got := range []string{j.RawID, "", j.User, j.Account, j.Partition, "", j.ID} {
				if got != "" && got != want[i] && (i != 6 || j.By[procmon.JobID] != procmon.EvidenceNone) {
					t.Errorf("%s: process %d: %q, accounted %q", path, c.Run.Process.PID, got, want[i])
				}
			}
			if strconv.Itoa(int(c.UID)) != want[1] || j.By[procmon.JobUser] != procmon.EvidenceNone && strconv.Itoa(int(j.UID)) != want[1] {
				t.Errorf("%s: process %d: uid %d in a job of %s", path, c.Run.Process.PID, j.UID, want[1])
			}
		}
	}
	if compared < 80 {
		t.Errorf("only %d processes of accounted jobs", compared)
	}
}
