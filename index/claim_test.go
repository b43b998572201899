package index

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// claimant is a run of uid that calls itself one of job 7788 in its environment.
func claimant(n int, uid uint32, account string) *procmon.Run {
	return with(func(r *procmon.Run) {
		other(r, n)
		r.Process.UID, r.Process.EUID, r.UserName = uid, uid, ""
		r.Job = job(procmon.EvidenceEnviron, func(j *procmon.Job) {
			j.ID, j.RawID, j.Cluster, j.Step, j.Account, j.Name = "7788", "7788", "c1", "0", account, account
		})
	})
}

// victim is a run that its cgroup shows to be of job 7788 of uid 12399. It
// tells no account.
func victim(n int) *procmon.Run {
	r := claimant(n, 12399, "")
	r.Job.Evidence = procmon.EvidenceCgroup
	r.Job.UID = 12399
	r.Job.By = evidence(procmon.EvidenceCgroup, map[procmon.JobField]procmon.Evidence{
		procmon.JobAccount: 0, procmon.JobName: 0, procmon.JobRestart: 0, procmon.JobPartition: 0})
	return r
}

// TestClaims tells runs in every order. Nobody's environment charges or
// describes another user's job.
func TestClaims(t *testing.T) {
	changed := func(r *procmon.Run, change func(*procmon.Run)) *procmon.Run { change(r); return r }
	silent := changed(victim(1), func(r *procmon.Run) { r.Job.UID, r.Job.By[procmon.JobUser] = 0, 0 })
	told := changed(claimant(2, 12399, "phys"), func(r *procmon.Run) { r.Job.UID, r.Job.By[procmon.JobUser] = 12399, procmon.EvidenceFacts })
	forged := changed(claimant(2, 65534, "evil"), func(r *procmon.Run) {
		r.Job.UID, r.Job.By[procmon.JobUser], r.Job.SLUID = 12399, procmon.EvidenceFacts, "s000000000000A"
	})
	of := func(uid, runs int64, account string, claim bool) map[string]any {
		row := map[string]any{"uid": uid, "runs": runs}
		if account != "" {
			row["account"], row["charged"], row["job_name"] = account, account, account
		}
		if claim {
			row["claim_uid"] = uid
		}
		return row
	}
	for _, tt := range []struct {
		name string
		runs []*procmon.Run
		want []map[string]any // by uid
	}{
		{"one attacker", []*procmon.Run{victim(1), claimant(2, 65534, "evil")}, []map[string]any{of(12399, 1, "", false), of(65534, 1, "evil", true)}},
		{"two attackers", []*procmon.Run{victim(1), claimant(2, 65534, "evil"), claimant(3, 1001, "worse")},
			[]map[string]any{of(1001, 1, "worse", true), of(12399, 1, "", false), of(65534, 1, "evil", true)}},
		{"an attacker who knows the owner", []*procmon.Run{victim(1), forged}, []map[string]any{of(12399, 1, "", false), of(65534, 1, "evil", true)}},
		{"root", []*procmon.Run{victim(1), claimant(2, 0, "evil")}, []map[string]any{of(0, 1, "evil", true), of(12399, 1, "", false)}},
		{"nobody knows whose", []*procmon.Run{victim(1), claimant(2, procmon.NoUID, "evil")},
			[]map[string]any{
				{"runs": int64(1), "account": "evil", "job_name": "evil", "claim_uid": int64(procmon.NoUID)}, of(12399, 1, "", false)}},
		{"the owner", []*procmon.Run{victim(1), claimant(2, 12399, "phys")}, []map[string]any{of(12399, 2, "phys", false)}},
		{"the owner without a cluster", []*procmon.Run{victim(1), changed(claimant(2, 12399, "phys"), func(r *procmon.Run) {
			r.Job.Cluster, r.Job.By[procmon.JobCluster] = "", 0
		})}, []map[string]any{of(12399, 2, "phys", false)}},
		{"the owner, told by the scheduler", []*procmon.Run{told}, []map[string]any{of(12399, 1, "phys", false)}},
		{"the owner is not known", []*procmon.Run{silent, claimant(2, 65534, "evil")}, []map[string]any{of(12399, 1, "", false), of(65534, 1, "evil", true)}},
		{"the owner and an attacker", []*procmon.Run{victim(1), claimant(2, 65534, "evil"), claimant(3, 12399, "phys")},
			[]map[string]any{of(12399, 2, "phys", false), of(65534, 1, "evil", true)}},
	} {
		permute(tt.runs, func(order string, runs []*procmon.Run) {
			for _, batched := range []bool{true, false} {
				t.Run(tt.name+", "+order, func(t *testing.T) {
					w := mustOpen(t, testOptions(t))
					var records []procmon.Record
					for _, r := range runs {
						records = append(records, whole(r))
						if !batched {
							mustWrite(t, w, whole(r))
						}
					}
					if batched {
						mustWrite(t, w, records...)
					}
					checkClaims(t, w, tt.want)
				})
			}
		})
	}
}

// permute calls use with every order of runs.
func permute(runs []*procmon.Run, use func(order string, runs []*procmon.Run)) {
	var walk func(order string, done, left []*procmon.Run)
	walk = func(order string, done, left []*procmon.Run) {
		if len(left) == 0 {
			use(order, done)
		}
		for i, r := range left {
			walk(order+string(rune('1'+slices.Index(runs, r))), append(slices.Clone(done), r), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	walk("", nil, runs)
}

func checkClaims(t *testing.T, w *Writer, want []map[string]any) {
	t.Helper()
	r := mustRead(t, w)
	got := dump(t, r, `SELECT uid, claim_uid, account, job_name, count(*) AS runs,
		(SELECT group_concat(account) FROM history h WHERE h.uid = runs.uid) AS charged
		FROM runs WHERE job_id = '7788' AND raw_job_id = '7788' GROUP BY 1, 2, 3, 4 ORDER BY 1`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	agree(t, r)
	share, err := w.JobShare(t.Context(), procmon.JobKey{Cluster: "c1", RawID: "7788"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range want {
		if row["claim_uid"] == nil && (int64(share.Runs) != row["runs"] || share.Job.Account == "evil" || share.Job.Name == "evil") {
			t.Errorf("the job's share: %+v", share)
		}
	}
}

// A run that was claimed when it began and proved when it ended takes its
// sums with it.
func TestClaimProvedLater(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	begun, ended := claimant(1, 12399, "phys"), victim(1)
	record := whole(begun)
	record.Phase = procmon.Start
	mustWrite(t, w, record)
	record = whole(ended)
	record.Phase = procmon.End
	mustWrite(t, w, record)
	checkClaims(t, w, []map[string]any{{"uid": int64(12399), "runs": int64(1), "account": "phys", "job_name": "phys", "charged": "phys"}})
}

// A claim's share of a host is not the job's.
func TestClaimInJobs(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(claimant(1, 65534, "evil")), whole(victim(2)))
	got := dump(t, mustRead(t, w), "SELECT job_id, claim_uid FROM jobs ORDER BY claim_uid")
	want := []map[string]any{{"job_id": "7788"}, {"job_id": "7788", "claim_uid": int64(65534)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
