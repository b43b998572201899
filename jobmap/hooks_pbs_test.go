package jobmap

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pbsJob is the hook's view of a job, as OpenPBS names its attributes.
type pbsJob map[string]any

const (
	execjobBegin    = 64
	execjobEpilogue = 512
	execjobEnd      = 1024
)

// runPBSHook runs the hook as MoM does: its text is executed, with a module
// named pbs at hand.
func runPBSHook(t *testing.T, dir string, event int, job pbsJob, more map[string]any) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	stub := map[string]any{"type": event, "job": job}
	for k, v := range more {
		stub[k] = v
	}
	text, err := json.Marshal(stub)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join("..", "contrib", "pbs", "procmon_hook.py"))
	cmd.Env = []string{"PYTHONPATH=testdata/pbs", "PYTHONDONTWRITEBYTECODE=1", "PROCMON_JOBS_DIR=" + dir, "PBS_STUB=" + string(text)}
	runHook(t, cmd)
}

func TestPBSHookToRegistry(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	job := pbsJob{
		"id": "2[3].pbsvm", "euser": me.Username, "Job_Name": "sweep", "queue": "workq", "Account_Name": "acct1", "run_count": 2,
		"exec_vnode": "(n1[0]:ncpus=2:ngpus=1)+(n1[1]:ncpus=1)+(n2:ncpus=8)",
	}
	s := newSite(t)
	runPBSHook(t, s.dir, execjobBegin, job, nil)
	s.refreshed()
	f := s.find("openpbs", "2[3].pbsvm", "")
	if f == nil || f.user != me.Username || f.name != "sweep" || f.queue != "workq" || f.account != "acct1" || f.restart != 1 || !f.hasUID {
		t.Fatalf("facts %+v", f)
	}
	if d := cmp.Diff(share{node: "n1", cpus: 3, gpus: 1, began: true}, withoutTimes(f.shares[0]), allFacts); d != "" {
		t.Errorf("share (-want +got):\n%s", d)
	}
	s.wantEnded("")
	runPBSHook(t, s.dir, execjobEpilogue, job, nil)
	s.refreshed()
	s.wantEnded("2[3].pbsvm.1")
	ended, _ := s.Ended(t.Context())
	if j := ended[0].Job; j.ID != "2[3].pbsvm" || j.ArrayJob != "2[].pbsvm" || j.ArrayTask != "3" || ended[0].CPUs != 3 {
		t.Errorf("summary %+v", ended[0])
	}
	if err := s.Done(ended[0].Job.Key()); err != nil {
		t.Fatal(err)
	}
	runPBSHook(t, s.dir, execjobEnd, job, nil) // the second event of the same end
	s.refreshed()
	s.wantEnded("")
}

func withoutTimes(s share) share {
	s.start, s.end = stamp{}, stamp{}
	return s
}

func TestPBSHookUnderFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, tt := range []struct {
		name, dir string
		job       pbsJob
		more      map[string]any
		want      string
	}{
		{name: "directory is a file", dir: file, job: pbsJob{"id": "1.s"}},
		{name: "below a file", dir: file + "/jobs", job: pbsJob{"id": "1.s"}},
		{name: "no event", job: pbsJob{"id": "1.s"}, more: map[string]any{"no_event": true}},
		{name: "no job", job: nil},
		{name: "id is a path", job: pbsJob{"id": "../1.s"}},
		{name: "id of an array", job: pbsJob{"id": "1[].s"}},
		{name: "attributes raise", job: pbsJob{"id": "1.s"}, more: map[string]any{"raise": true},
			want: "openpbs-1.s -rw-r--r--\n\nbegin\tSCHEDULER=openpbs\tID=1.s\tRESTART=0\tNODE=n1\tUPTIME=…\tBOOT=…\t.\n"},
		{name: "hostile values", job: pbsJob{"id": "1.s", "Job_Name": "a\nend\tID=1.s\t.\n", "Account_Name": "\x1b[m", "queue": "q x", "Job_Owner": "nobody at all@h", "exec_vnode": "((((:=:ncpus=x+"},
			want: "openpbs-1.s -rw-r--r--\n\nbegin\tSCHEDULER=openpbs\tID=1.s\tRESTART=0\tNODE=n1\tUSER=nobody at all\tPARTITION=q x\tUPTIME=…\tBOOT=…\t.\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir
			if dir == "" {
				dir = t.TempDir()
			}
			runPBSHook(t, dir, execjobBegin, tt.job, tt.more)
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				return
			}
			if d := cmp.Diff(tt.want, written(t, dir)); d != "" {
				t.Errorf("files (-want +got):\n%s", d)
			}
		})
	}
}
