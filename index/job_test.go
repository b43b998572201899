package index

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// job is a job of which the fields named are known by evidence e.
func job(e procmon.Evidence, change func(*procmon.Job)) procmon.Job {
	j := procmon.Job{Scheduler: "slurm", Evidence: e}
	change(&j)
	for f, v := range map[procmon.JobField]string{procmon.JobID: j.ID, procmon.JobRawID: j.RawID, procmon.JobCluster: j.Cluster,
		procmon.JobUser: j.User, procmon.JobAccount: j.Account, procmon.JobPartition: j.Partition, procmon.JobName: j.Name} {
		if v != "" && j.By[f] == 0 {
			j.By[f] = e
		}
	}
	return j
}

// TestJobFields tells a job in several steps; better evidence wins whatever
// the order, and history follows what is known of the job at last.
func TestJobFields(t *testing.T) {
	base := func(j *procmon.Job) { j.RawID, j.ID, j.Cluster = "9", "9", "c1" }
	account := func(e procmon.Evidence, a string) procmon.Job {
		j := job(e, func(j *procmon.Job) { base(j); j.Account = a })
		j.Evidence = max(e, procmon.EvidenceCgroup) // in the job for sure, whoever tells the account
		return j
	}
	sluid := func(j *procmon.Job) { j.SLUID, j.Cluster = "s000000000000A", "c1" }
	for _, tt := range []struct {
		name string
		jobs []procmon.Job // one run each
		want []map[string]any
	}{
		{"better evidence later", []procmon.Job{account(procmon.EvidenceEnviron, "x"), account(procmon.EvidenceFacts, "y")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"better evidence first", []procmon.Job{account(procmon.EvidenceFacts, "y"), account(procmon.EvidenceEnviron, "x")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"equal evidence stays", []procmon.Job{account(procmon.EvidenceEnviron, "x"), account(procmon.EvidenceEnviron, "y"), account(procmon.EvidenceEnviron, "x")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "x", "charged": "x", "steps": int64(1)}}},
		{"facts may change", []procmon.Job{account(procmon.EvidenceFacts, "x"), account(procmon.EvidenceFacts, "y")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"account known late", []procmon.Job{job(procmon.EvidenceCgroup, base), account(procmon.EvidenceFacts, "y")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"cluster known late", []procmon.Job{job(procmon.EvidenceCgroup, func(j *procmon.Job) { j.RawID = "9" }), account(procmon.EvidenceFacts, "y")},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"cluster known first", []procmon.Job{account(procmon.EvidenceFacts, "y"), job(procmon.EvidenceCgroup, func(j *procmon.Job) { j.RawID = "9" })},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"number known late", []procmon.Job{job(procmon.EvidenceCgroup, sluid),
			job(procmon.EvidenceFacts, func(j *procmon.Job) { base(j); sluid(j); j.Account = "y" })},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"two rows turn out to be one", []procmon.Job{job(procmon.EvidenceCgroup, sluid), account(procmon.EvidenceCgroup, "y"),
			job(procmon.EvidenceFacts, func(j *procmon.Job) { base(j); sluid(j) }), job(procmon.EvidenceCgroup, sluid)},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "account": "y", "charged": "y", "steps": int64(1)}}},
		{"restart known late", []procmon.Job{job(procmon.EvidenceCgroup, func(j *procmon.Job) { base(j); sluid(j) }),
			job(procmon.EvidenceFacts, func(j *procmon.Job) {
				base(j)
				sluid(j)
				j.Restart = 2
				j.By[procmon.JobRestart] = procmon.EvidenceFacts
			})},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "restart": int64(2), "steps": int64(1)}}},
		{"requeued", []procmon.Job{job(procmon.EvidenceFacts, base), job(procmon.EvidenceFacts, func(j *procmon.Job) { base(j); j.Restart = 1 })},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "steps": int64(1)}, {"raw_id": "9", "cluster": "c1", "restart": int64(1), "steps": int64(1)}}},
		{"requeued, then one that does not say", []procmon.Job{job(procmon.EvidenceFacts, base),
			job(procmon.EvidenceFacts, func(j *procmon.Job) { base(j); j.Restart = 1 }), account(procmon.EvidenceFacts, "y"), job(procmon.EvidenceFacts, base)},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "steps": int64(1)},
				{"raw_id": "9", "cluster": "c1", "restart": int64(1), "account": "y", "charged": "y", "steps": int64(1)}}},
		{"two clusters", []procmon.Job{job(procmon.EvidenceFacts, base), job(procmon.EvidenceFacts, func(j *procmon.Job) { base(j); j.Cluster = "c2" })},
			[]map[string]any{{"raw_id": "9", "cluster": "c1", "steps": int64(1)}, {"raw_id": "9", "cluster": "c2", "steps": int64(1)}}},
	} {
		for name, batched := range map[string]bool{"one batch": true, "a batch each": false} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				w := mustOpen(t, testOptions(t))
				var records []procmon.Record
				for n, j := range tt.jobs {
					records = append(records, whole(with(func(r *procmon.Run) { other(r, n); r.Job = j; r.Job.Step = "0" })))
				}
				if batched {
					mustWrite(t, w, records...)
				} else {
					for _, r := range records {
						mustWrite(t, w, r)
					}
				}
				r := mustRead(t, w)
				got := dump(t, r, `SELECT j.raw_id, j.cluster, nullif(j.restart, 0) AS restart, j.account, c.account AS charged,
					(SELECT count(*) FROM t_step WHERE job = j.id) AS steps FROM t_job j JOIN t_charge c ON c.id = j.charge
					WHERE j.id > 0 ORDER BY j.cluster, j.restart`)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("jobs (-want +got):\n%s", diff)
				}
				agree(t, r)
			})
		}
	}
}

func TestJobShare(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	app := func(n int, name, version string, cpu time.Duration, code int) procmon.Record {
		return whole(with(func(r *procmon.Run) {
			other(r, n)
			r.Application.Name, r.Application.Version, r.Application.Package, r.Application.Script = name, version, name+"/"+version, "x"
			r.Usage = &procmon.Usage{User: cpu, System: cpu / 2, MaxRSS: uint64(n) << 20, Read: 1, Write: 2}
			r.Exit = &procmon.Exit{Code: code}
			r.Job.Step = []string{"batch", "0"}[n%2]
		}))
	}
	elsewhere := app(9, "R", "4.3", time.Hour, 0)
	elsewhere.Host = "n2"
	another := app(10, "R", "4.3", time.Hour, 0)
	another.Run.Job.RawID, another.Run.Job.ID = "10", "10"
	mustWrite(t, w, app(1, "R", "4.3", time.Second, 0), app(2, "GROMACS", "2023.3", time.Minute, 0), app(3, "R", "4.3", time.Second, 1),
		app(4, "R", "3.6", 100*time.Second, 0), elsewhere, another,
		procmon.Record{Host: "n1", Time: t0, Summary: &procmon.JobSummary{Job: aRun().Job, CPUs: 8, Start: t0, End: t0.Add(time.Hour)}})

	got, err := w.JobShare(t.Context(), procmon.JobKey{Cluster: "c1", RawID: "9"})
	if err != nil {
		t.Fatal(err)
	}
	share := func(name, version string, runs, failed uint64, cpu time.Duration, rss uint64) procmon.AppShare {
		return procmon.AppShare{Application: procmon.Application{Name: name, Version: version, Kind: procmon.KindApplication, Package: name + "/" + version, Rules: "1"},
			Runs: runs, Failed: failed, Usage: procmon.Usage{User: cpu, System: cpu / 2, MaxRSS: rss << 20, Read: runs, Write: 2 * runs}}
	}
	want := procmon.JobSummary{
		Job: aRun().Job, CPUs: 8, Start: t0, End: t0.Add(time.Hour), Runs: 4, Failed: 1,
		Usage: procmon.Usage{User: 162 * time.Second, System: 81 * time.Second, MaxRSS: 4 << 20, Read: 4, Write: 8},
		Applications: []procmon.AppShare{
			share("R", "3.6", 1, 0, 100*time.Second, 4), share("GROMACS", "2023.3", 1, 0, time.Minute, 2), share("R", "4.3", 2, 1, 2*time.Second, 3),
		},
		Exits: []procmon.ExitShare{{Runs: 3}, {Exit: procmon.Exit{Code: 1}, Runs: 1}},
	}
	want.Job.Step, want.Job.Task, want.Job.Evidence = "", "", 0
	want.Job.By[procmon.JobStep], want.Job.By[procmon.JobTask] = 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	got, err = w.JobShare(t.Context(), procmon.JobKey{Cluster: "c1", RawID: "77", Restart: 1})
	want = procmon.JobSummary{Job: procmon.Job{Cluster: "c1", RawID: "77", Restart: 1}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("a job without runs: %v\n%s", err, diff)
	}
}

// The most frequent ways to end come first, and no more than there is room for.
func TestJobShareExits(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	n := 0
	ended := func(times int, exit *procmon.Exit) {
		for range times {
			n++
			mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, n); r.Exit = exit })))
		}
	}
	ended(2, &procmon.Exit{Code: 255})
	ended(4, &procmon.Exit{Signal: 9})
	ended(5, &procmon.Exit{})
	ended(6, nil) // replaced by another execve
	for code := range procmon.MaxExits {
		ended(1, &procmon.Exit{Code: 100 + code})
	}
	got, err := w.JobShare(t.Context(), procmon.JobKey{Cluster: "c1", RawID: "9"})
	if err != nil {
		t.Fatal(err)
	}
	want := []procmon.ExitShare{{Runs: 5}, {Exit: procmon.Exit{Signal: 9}, Runs: 4}, {Exit: procmon.Exit{Code: 255}, Runs: 2}}
	if len(got.Exits) != procmon.MaxExits {
		t.Fatalf("%d kinds of exits, want %d", len(got.Exits), procmon.MaxExits)
	}
	if diff := cmp.Diff(want, got.Exits[:3]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A job of which the cluster is not known belongs to a known one of the same
// number on the same host only.
func TestUnknownClusterElsewhere(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	elsewhere := whole(with(func(r *procmon.Run) { other(r, 1); r.Job.Cluster = "" }))
	elsewhere.Host = "n2"
	mustWrite(t, w, whole(aRun()), elsewhere)
	got := dump(t, mustRead(t, w), "SELECT host, cluster FROM jobs ORDER BY host")
	want := []map[string]any{{"host": "n1", "cluster": "c1"}, {"host": "n2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A job's number and cluster may be longer than what is kept of them, and are found again.
func TestLongNamesOfJobs(t *testing.T) {
	for _, long := range []string{strings.Repeat("\xff", maxText+1), strings.Repeat("x", maxText-3) + "😀", strings.Repeat("\x00", maxText)} {
		w := mustOpen(t, testOptions(t))
		for i := range 3 {
			mustWrite(t, w, whole(with(func(r *procmon.Run) { other(r, i); r.Job.RawID, r.Job.Cluster, r.Job.Name = long, long, fmt.Sprint(i) })))
		}
		if n := number(t, mustRead(t, w), "SELECT count(*) FROM t_job WHERE id > 0"); n != 1 {
			t.Errorf("%d jobs", n)
		}
	}
}

// What a process leaves open of its job, its host tells, however often another
// host was asked the same before.
func TestSilentJobsOfHosts(t *testing.T) {
	told := func(host string, n int, change func(*procmon.Job)) procmon.Record {
		r := whole(with(func(r *procmon.Run) {
			other(r, n)
			r.Job = job(procmon.EvidenceCgroup, func(j *procmon.Job) { j.RawID = "9"; change(j) })
		}))
		r.Host = host
		return r
	}
	silent := func(*procmon.Job) {}
	cluster := func(name string) func(*procmon.Job) { return func(j *procmon.Job) { j.Cluster = name } }
	life := func(n int) func(*procmon.Job) {
		return func(j *procmon.Job) { j.Restart, j.By[procmon.JobRestart] = n, procmon.EvidenceCgroup }
	}
	for _, tt := range []struct {
		name    string
		records []procmon.Record
		want    []map[string]any
	}{
		{"clusters", []procmon.Record{told("n1", 1, cluster("c1")), told("n2", 2, cluster("c2")), told("n1", 3, silent), told("n2", 4, silent)},
			[]map[string]any{{"host": "n1", "cluster": "c1", "restart": int64(0), "runs": int64(2)}, {"host": "n2", "cluster": "c2", "restart": int64(0), "runs": int64(2)}}},
		{"lives", []procmon.Record{told("n1", 1, life(1)), told("n2", 2, life(2)), told("n1", 3, silent), told("n2", 4, silent)},
			[]map[string]any{{"host": "n1", "restart": int64(1), "runs": int64(2)}, {"host": "n2", "restart": int64(2), "runs": int64(2)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := mustOpen(t, testOptions(t))
			mustWrite(t, w, tt.records...)
			r := mustRead(t, w)
			got := dump(t, r, "SELECT host, cluster, restart, count(*) AS runs FROM runs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			agree(t, r)
		})
	}
}

// TestClaimsOfOtherHosts joins what the owner claimed before on each host to the
// job that is proved there later, also where the cluster was not known.
func TestClaimsOfOtherHosts(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	n := 0
	on := func(host string, run *procmon.Run) procmon.Record {
		n++
		other(run, 10*n)
		r := whole(run)
		r.Host = host
		return r
	}
	claim := func() *procmon.Run { r := claimant(1, 12399, "phys"); r.Job.Cluster = ""; return r }
	mustWrite(t, w, on("n1", victim(2)), on("n2", claim()), on("n1", claim()), on("n2", victim(2)))
	r := mustRead(t, w)
	if got := dump(t, r, "SELECT cluster, claim_uid, count(*) AS runs FROM runs GROUP BY 1, 2"); len(got) != 1 || got[0]["runs"] != int64(4) {
		t.Error(got)
	}
	agree(t, r)
}

// TestFoldKeepsShares keeps what prolog and epilog told of a job that is known by
// its SLUID, when it turns out to be one that is known by its number there.
func TestFoldKeepsShares(t *testing.T) {
	sluid := func(j *procmon.Job) { j.SLUID = "s000000000000A" }
	number := func(j *procmon.Job) { j.RawID, j.Cluster = "9", "c1" }
	run := func(n int, changes ...func(*procmon.Job)) procmon.Record {
		return whole(with(func(r *procmon.Run) {
			other(r, n)
			r.Job = job(procmon.EvidenceCgroup, func(j *procmon.Job) {
				for _, change := range changes {
					change(j)
				}
			})
		}))
	}
	summary := procmon.Record{Host: "n1", Boot: "boot-1", Time: t0, Summary: &procmon.JobSummary{Job: job(procmon.EvidenceFacts, sluid),
		CPUs: 4, GPUs: 1, Start: t0, End: t0.Add(time.Hour), CgroupCPU: time.Minute}}
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, summary, run(1, number), run(2, number, sluid))
	r := mustRead(t, w)
	got := dump(t, r, `SELECT raw_job_id, sluid, cpus, gpus, "end" - start AS took, cgroup_cpu_seconds FROM jobs`)
	want := []map[string]any{{"raw_job_id": "9", "sluid": "s000000000000A", "cpus": int64(4), "gpus": int64(1), "took": 3600.0, "cgroup_cpu_seconds": 60.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	agree(t, r)
}
