package jobmap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const (
	v1 = "freezer"
	v2 = ""
)

func TestCgroupClaim(t *testing.T) {
	const sluid = "sE7DM81482K400"
	slurm := func(id, step, task string) claim { return claim{rawID: id, step: step, task: task} }
	owned := func(c claim) claim { c.uid, c.hasUID = 1001, true; return c }
	pbs := func(sch int, id string) claim { return claim{scheduler: sch, rawID: id} }
	for _, tt := range []struct {
		name, controllers, path, slice string
		want                           claim
	}{
		{"v1 step", v1, "/slurm/uid_1001/job_5/step_0", "", owned(slurm("5", "0", ""))},
		{"v1 task", "memory", "/slurm/uid_1001/job_5/step_0/task_3", "", owned(slurm("5", "0", "3"))},
		{"v1 multiple slurmd", v1, "/slurm_n1/uid_1001/job_1/step_batch", "", owned(slurm("1", "batch", ""))},
		{"v1 het step", v1, "/slurm/uid_1001/job_11/step_0+1", "", owned(slurm("11", "0+1", ""))},
		{"v1 job only", v1, "/slurm/uid_1001/job_11", "", owned(slurm("11", "", ""))},
		{"v1 co-mounted", "cpu,cpuacct", "/slurm/uid_1001/job_11/step_TBD", "", owned(slurm("11", "TBD", ""))},
		{"v1 old batch number", v1, "/slurm/uid_1001/job_11/step_4294967294", "", owned(slurm("11", "batch", ""))},
		{"v1 nested job of the user's", v1, "/slurm/uid_1001/job_39/step_batch/job_999/step_7/task_0", "", owned(slurm("39", "batch", ""))},
		{"v1 nested task", v1, "/slurm/uid_1001/job_39/step_batch/task_0/x y", "", owned(slurm("39", "batch", "0"))},
		{"v1 extern has no task", "memory", "/slurm/uid_1001/job_3/step_extern/task_2", "", owned(slurm("3", "extern", ""))},
		{"v1 seen from another namespace", v1, "/../../slurm/uid_1001/job_5/step_0", "", owned(slurm("5", "0", ""))},
		{"v1 deleted", v1, "/slurm/uid_1001/job_5/step_0 (deleted)", "", owned(slurm("5", "0", ""))},
		{"v1 unused controller", "pids", "/slurm/uid_1001/job_5/step_0", "", claim{}},
		{"v1 not at the root", v1, "/x/slurm/uid_1001/job_5/step_0", "", claim{}},
		{"v1 other prefix", v1, "/slurmy/uid_1001/job_5/step_0", "", claim{}},
		{"v1 core specialisation", "cpuset", "/slurm/system", "", claim{}},
		{"v1 no uid", v1, "/slurm/uid_/job_5", "", claim{}},
		{"v1 uid beyond 32 bits", v1, "/slurm/uid_4294967295/job_5", "", claim{}},
		{"v1 id not a number", v1, "/slurm/uid_1001/job_5x/step_0", "", claim{}},
		{"v1 id too long", v1, "/slurm/uid_1001/job_12345678901/step_0", "", claim{}},
		{"v1 strange step", v1, "/slurm/uid_1001/job_5/step_evil", "", owned(slurm("5", "", ""))},
		{"v2 task", v2, "/system.slice/slurmstepd.scope/job_13/step_0/user/task_1", "", slurm("13", "0", "1")},
		{"v2 special", v2, "/system.slice/slurmstepd.scope/job_13/step_0/user/task_special", "", slurm("13", "0", "")},
		{"v2 daemon's side", v2, "/system.slice/n3_slurmstepd.scope/job_13/step_batch/slurm", "", slurm("13", "batch", "")},
		{"v2 deleted", v2, "/system.slice/slurmstepd.scope/job_13/step_0/user/task_1 (deleted)", "", slurm("13", "0", "1")},
		{"v2 sluid", v2, "/system.slice/m2_slurmstepd.scope/" + sluid + "/step_1/user/task_special", "", claim{sluid: sluid, step: "1"}},
		{"v2 no sluid: letter U", v2, "/system.slice/slurmstepd.scope/sE7DM81482K40U/step_1/user", "", claim{}},
		{"v2 other slice at the top", v2, "/hpc.slice/slurmstepd.scope/job_1/step_0/user/task_0", "", slurm("1", "0", "0")},
		{"v2 nested slice unknown", v2, "/hpc.slice/hpc-jobs.slice/slurmstepd.scope/job_1/step_0/user/task_0", "", claim{}},
		{"v2 nested slice configured", v2, "/hpc.slice/hpc-jobs.slice/slurmstepd.scope/job_1/step_0/user/task_0", "hpc-jobs.slice", slurm("1", "0", "0")},
		{"v2 in a container, configured", v2, "/docker/abc/system.slice/slurmstepd.scope/job_1/step_0/user/task_0", "/docker/abc/system.slice/", slurm("1", "0", "0")},
		{"v2 from a sibling's namespace", v2, "/../slurmstepd.scope/job_1/step_0/user/task_0", "", slurm("1", "0", "0")},
		{"v2 in what is no slice", v2, "/machine/slurmstepd.scope/job_1/step_0/user/task_0", "", claim{}},
		{"v2 scope of another name", v2, "/system.slice/xslurmstepd.scope/job_1/step_0/user/task_0", "", claim{}},
		{"v2 at the root", v2, "/slurmstepd.scope/job_1/step_0/user/task_0", "", claim{}},
		{"v2 below a user's manager", v2, "/user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_999/step_0/user/task_0", "", claim{}},
		{"v2 below a user's manager, from a namespace", v2, "/../../user.slice/user-1001.slice/user@1001.service/slurmstepd.scope/job_999/step_0/user/task_0", "", claim{}},
		{"v2 user's slice", v2, "/user.slice/user-1001.slice/user@1001.service/app.slice/slurmstepd.scope/job_999/step_0", "", claim{}},
		{"v2 parking place", v2, "/system.slice/slurmstepd.scope/system", "", claim{}},
		{"v2 slurmd", v2, "/system.slice/n3_slurmstepd.scope/slurmd", "", claim{}},
		{"v2 path on v1", v1, "/system.slice/slurmstepd.scope/job_13/step_0/user/task_1", "", claim{}},
		{"v1 path on v2", v2, "/slurm/uid_1001/job_5/step_0", "", claim{}},
		{"root of a zombie", v1, "/", "", claim{}},
		{"empty", v1, "", "", claim{}},
		{"spaces", v2, "/system.slice/a b slurmstepd.scope/job_13", "", claim{}},

		{"openpbs", "memory", "/pbs_jobs.service/jobid/1.pbsvm", "", pbs(1, "1.pbsvm")},
		{"openpbs array", "memory", "/pbs_jobs.service/jobid/2[3].pbsvm", "", pbs(1, "2[3].pbsvm")},
		{"openpbs nested", "memory", "/pbs_jobs.service/jobid/1.pbsvm/99.pbsvm", "", pbs(1, "1.pbsvm")},
		{"openpbs 19", "memory", `/pbspro.slice/pbspro-2\x5b3\x5d.pbs\x2dvm.slice`, "", pbs(1, "2[3].pbs-vm")},
		{"openpbs 19 broken escape", "memory", `/pbspro.slice/pbspro-2\x5.slice`, "", claim{}},
		{"openpbs 19 capital escape", "memory", `/pbspro.slice/pbspro-2\x5B3\x5D.a.slice`, "", pbs(1, "2[3].a")},
		{"openpbs 19 without its slice", "memory", "/pbspro.slice/pbspro-1.a", "", claim{}},
		{"openpbs on v2", v2, "/pbs_jobs.service/jobid/1.pbsvm", "", pbs(1, "1.pbsvm")},
		{"openpbs 18", "memory", "/pbspro/7.host.example.org", "", pbs(1, "7.host.example.org")},
		{"openpbs no id", "memory", "/pbs_jobs.service/jobid/x", "", claim{}},
		{"openpbs below a user's", "memory", "/user.slice/pbs_jobs.service/jobid/1.pbsvm", "", claim{}},
		{"torque", "cpuset", "/torque/12.head", "", pbs(2, "12.head")},
		{"torque task", "memory", "/torque/12[4].head/R0.t1", "", pbs(2, "12[4].head")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := procmon.Cgroup{Controllers: tt.controllers, Path: tt.path}
			if tt.controllers != v2 {
				line.Hierarchy = 4
			}
			at := siteRules{slice: slicePath(tt.slice), minUID: 1000}
			got, _, ok := at.claim([]procmon.Cgroup{line})
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(claim{})); d != "" || ok != !tt.want.none() {
				t.Errorf("claim of %s (-want +got):\n%s", tt.path, d)
			}
		})
	}
}
