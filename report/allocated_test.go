package report_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"procmon"
	"procmon/report"
	"procmon/report/reporttest"
)

// given is what the scheduler gave a job on a host, or on all.
type given struct {
	start, end time.Time
	cpus, gpus int
}

// in is the core and GPU time that lies in a range.
func (g given) in(since, until time.Time) (core, gpu float64) {
	from, to := g.start, g.end
	if from.Before(since) {
		from = since
	}
	if to.After(until) {
		to = until
	}
	if !to.After(from) {
		return 0, 0
	}
	s := to.Sub(from).Seconds()
	return s * float64(g.cpus), s * float64(g.gpus)
}

// allocatedIndex has random runs, and allocations: of jobs that ran something and
// of some that did not, told by accounting or by prolog and epilog, on one host or two.
func allocatedIndex(t *testing.T, r *rand.Rand) (path string, all []given) {
	t.Helper()
	var records [2][]procmon.Record
	for i, run := range randomRuns(r, 300) {
		records[i%2] = append(records[i%2], run.Record())
	}
	var jobs []procmon.Accounted
	for id := range 10 { // 1 to 6 have runs
		start := reporttest.Now.Add(-time.Duration(r.Int64N(int64(90 * time.Hour)))).Truncate(time.Second)
		g := given{start, start.Add(time.Duration(r.Int64N(int64(48 * time.Hour)))).Truncate(time.Second), 1 + r.IntN(64), r.IntN(3)}
		if r.IntN(2) == 0 {
			a := reporttest.Accounted(strconv.Itoa(id), g.start, g.end.Sub(g.start), g.cpus, g.gpus)
			a.Job.Account = []string{"chem", "bio"}[r.IntN(2)]
			a.Job.User, a.Job.UID, a.Job.By[procmon.JobUser] = "", procmon.NoUID, 0 // the runs are of several users
			a.CPU = time.Duration(r.Int64N(int64(1000 * time.Hour)))
			jobs, all = append(jobs, a), append(all, g)
			continue
		}
		j := reporttest.SlurmJob(strconv.Itoa(id), strconv.Itoa(id), "", "alice", "chem")
		j.UID = 1001
		for host := range 1 + r.IntN(2) {
			records[host] = append(records[host], procmon.Record{Time: g.end, Summary: &procmon.JobSummary{
				Job: j, CPUs: g.cpus, GPUs: g.gpus, Start: g.start, End: g.end,
			}})
			all = append(all, g)
		}
	}
	path = filepath.Join(t.TempDir(), "procmon.db")
	for i, host := range []string{"n1", "n2"} {
		reporttest.Append(t, path, host, records[i]...)
	}
	reporttest.Account(t, path, jobs...)
	return path, all
}

// Whatever a report is by, its rows, what was left out and what belongs to no
// row are together what the scheduler allocated.
func TestAllocationsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 3))
	path, all := allocatedIndex(t, r)
	db := open(t, path)
	midnight := reporttest.Now.Truncate(24 * time.Hour)
	for name, q := range map[string]report.Query{
		"everything":  {},
		"whole days":  {Since: midnight.AddDate(0, 0, -2), Until: midnight},
		"some hours":  {Since: reporttest.Now.Add(-50 * time.Hour), Until: reporttest.Now.Add(-7 * time.Hour)},
		"since lunch": {Since: midnight.Add(12 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			q.Allocated, q.Now = true, reporttest.Now.Add(72*time.Hour) // jobs end later than now
			until := q.Until
			if until.IsZero() {
				until = q.Now
			}
			var core, gpu float64
			for _, g := range all {
				c, p := g.in(q.Since, until)
				core, gpu = core+c, gpu+p
			}
			for _, by := range dimensionSets(r) {
				q.By = by
				for _, q.All = range []bool{false, true} {
					checkAllocation(t, db, q, core, gpu)
				}
			}
		})
	}
}

func checkAllocation(t *testing.T, db report.Querier, q report.Query, core, gpu float64) {
	t.Helper()
	table, err := report.Summarize(t.Context(), db, q)
	if err != nil {
		t.Fatalf("by %v: %v", q.By, err)
	}
	if table.Allocated == nil {
		for _, d := range q.By {
			if d == report.Exit {
				return
			}
		}
		t.Fatalf("by %v: nothing was allocated", q.By)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6*(1+math.Abs(b)) }
	if a := table.Allocated; !near(a.CoreSeconds, core) || !near(a.GPUSeconds, gpu) {
		t.Errorf("by %v, all %v: %+v allocated, want %v and %v", q.By, q.All, *a, core, gpu)
	}
	gotCore := sumOf(t, table, "allocated_core_seconds") + table.LeftOut.CoreSeconds + table.Unattributed.CoreSeconds
	gotGPU := sumOf(t, table, "allocated_gpu_seconds") + table.LeftOut.GPUSeconds + table.Unattributed.GPUSeconds
	if !near(gotCore, core) || !near(gotGPU, gpu) {
		t.Errorf("by %v, all %v: %v and %v in all parts, want %v and %v", q.By, q.All, gotCore, gotGPU, core, gpu)
	}
}

// A job's time goes to its applications by their CPU time, and what accounting
// measured beyond what was recorded to nobody.
func TestAllocationIsApportioned(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	job := func(id string) procmon.Job { return reporttest.SlurmJob(id, id, "batch", "alice", "chem") }
	app := func(name string) procmon.Application {
		return procmon.Application{Name: name, Kind: procmon.KindApplication}
	}
	run := func(pid int32, id, name string, cpu time.Duration) procmon.Record {
		return reporttest.Run{At: at.Add(time.Duration(pid) * time.Second), PID: pid, User: "alice", UID: 1001, Job: job(id), Application: app(name),
			Exe: "/a", Args: []string{"a"}, Elapsed: time.Minute, CPU: cpu}.Record()
	}
	path := reporttest.Write(t, "n1",
		run(1, "1", "A", time.Hour), run(2, "1", "B", 3*time.Hour), // as accounting says
		run(3, "2", "A", time.Hour), run(4, "2", "B", time.Hour)) // half of what accounting says
	one, two, none := reporttest.Accounted("1", at, time.Hour, 8, 0), reporttest.Accounted("2", at, 2*time.Hour, 4, 2), reporttest.Accounted("3", at, time.Hour, 5, 0)
	one.CPU, two.CPU = 4*time.Hour, 4*time.Hour
	reporttest.Account(t, path, one, two, none)
	table, err := report.Summarize(t.Context(), open(t, path), report.Query{By: []report.Dimension{report.Application}, Sort: "application", Allocated: true, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	cores, gpus := column(t, &table.Grid, "allocated_core_seconds"), column(t, &table.Grid, "allocated_gpu_seconds")
	for i, want := range []struct{ core, gpu float64 }{{2*3600 + 2*3600, 3600}, {6*3600 + 2*3600, 3600}} {
		if cores[i] != want.core || gpus[i] != want.gpu {
			t.Errorf("row %d: %v and %v, want %v", i, cores[i], gpus[i], want)
		}
	}
	if u := table.Unattributed; u.CoreSeconds != 4*3600+5*3600 || u.GPUSeconds != 2*3600 {
		t.Errorf("%+v unattributed", u)
	}
	byAccount, err := report.Summarize(t.Context(), open(t, path), report.Query{By: []report.Dimension{report.Account}, Allocated: true, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	if got := column(t, &byAccount.Grid, "allocated_core_seconds"); len(got) != 1 || got[0] != float64(8+8+5)*3600 || byAccount.Unattributed.CoreSeconds != 0 {
		t.Errorf("by account: %v, %+v unattributed", got, byAccount.Unattributed)
	}
}
