package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon/jobmap"
)

func TestAnswerInLines(t *testing.T) {
	uid := uint32(1001)
	a := explained{
		Application: "Bash", Version: "5.2", Kind: "shell", Considered: []considered{{Evidence: "names", Application: "\x1b[31m", Why: "dpkg is better"}},
		Job: &jobAnswer{
			Scheduler: "slurm", ID: "4_5", RawID: "5", Step: "0", User: "alice", UID: &uid, Name: "a\x1b]0;x\a", Evidence: "cgroup", Conflict: "environ says 9",
			By: map[string]string{"raw_id": "cgroup", "step_id": "cgroup", "user": "facts", "name": "environ"},
		},
		trail: []jobmap.Step{
			{Rung: "cgroup", Evidence: "6:freezer:/slurm/uid_1001/job_5/step_0/x\ny", Says: "slurm 5 step 0", Verdict: jobmap.Decided},
			{Rung: "environ", Evidence: "variables of slurm", Says: "slurm 9", Verdict: jobmap.Rejected, Why: "cgroup is better evidence and says 5"},
		},
	}
	want := `application: Bash 5.2 (shell)
  names: "\x1b[31m" (lost: dpkg is better)
job: 4_5 of slurm, by cgroup
  raw_id   5               by cgroup
  step_id  0               by cgroup
  user     alice uid 1001  by facts
  name     "a\x1b]0;x\a"   by environ
  but environ says 9
evidence of the job, best first:
  decided   cgroup    "6:freezer:/slurm/uid_1001/job_5/step_0/x\ny"
                      says slurm 5 step 0
  rejected  environ   variables of slurm
                      says slurm 9
                      cgroup is better evidence and says 5
`
	if d := cmp.Diff(want, a.text()); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	none := explained{Kind: "unknown"}
	if d := cmp.Diff("application: unknown (unknown)\njob: none\n", none.text()); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}
