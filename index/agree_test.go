package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const measures = `sum(runs) AS runs, sum(failed) AS failed, sum(elapsed) AS elapsed, sum(user_us) AS user_us, sum(sys_us) AS sys_us,
	max(rss) AS rss, sum(read) AS read, sum(write) AS write`

const ofRuns = `count(*) AS runs, sum(flags & 1 = 0 AND ifnull(exit, 0) <> 0) AS failed, ifnull(sum(elapsed), 0) AS elapsed,
	ifnull(sum(user_us), 0) AS user_us, ifnull(sum(sys_us), 0) AS sys_us, ifnull(max(rss), 0) AS rss, ifnull(sum(read), 0) AS read,
	ifnull(sum(write), 0) AS write`

// agree checks that usage, and what follows from it, are the sums over the single runs. Runs
// that go over midnight are booked to several days, so that days can be
// compared for the numbers of starts only.
func agree(t *testing.T, r *Reader) {
	t.Helper()
	same := func(what, a, b string) {
		t.Helper()
		if diff := cmp.Diff(dump(t, r, a), dump(t, r, b)); diff != "" {
			t.Errorf("%s differ (-first +second):\n%s", what, diff)
		}
	}
	same("runs and usage", "SELECT host, step, user, identity, "+ofRuns+" FROM t_run GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
		"SELECT host, step, user, identity, "+measures+" FROM t_usage GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4")
	same("usage and history", `SELECT g.day, g.user, j.charge, i.app, min(first) AS first, max(last) AS last, `+measures+` FROM t_usage g
		JOIN t_step s ON s.id = g.step JOIN t_job j ON j.id = s.job JOIN t_identity i ON i.id = g.identity GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
		"SELECT day, user, charge, app, min(first) AS first, max(last) AS last, "+measures+" FROM t_history GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4")
	same("history and totals", "SELECT day, app, min(first) AS first, max(last) AS last, "+measures+" FROM t_history GROUP BY 1, 2 ORDER BY 1, 2",
		"SELECT day, app, min(first) AS first, max(last) AS last, "+measures+" FROM t_total GROUP BY 1, 2 ORDER BY 1, 2")
	same("usage and used", "SELECT DISTINCT g.identity, g.day, s.job, g.user FROM t_usage g JOIN t_step s ON s.id = g.step ORDER BY 1, 2, 3, 4",
		"SELECT * FROM t_used ORDER BY 1, 2, 3, 4")
	same("starts by day", "SELECT id / 86400000000 AS day, count(*) AS runs FROM t_run GROUP BY 1",
		"SELECT day, sum(runs) AS runs FROM t_usage GROUP BY 1 HAVING sum(runs) > 0")
	same("views and tables", "SELECT (SELECT count(*) FROM t_run) AS runs, (SELECT count(*) FROM t_usage) AS usage, (SELECT count(*) FROM t_history) AS history",
		"SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM usage) AS usage, (SELECT count(*) FROM history) AS history")
}

// tell cuts the life of a run into the records that a daemon may send of it.
func tell(rnd *rand.Rand, host string, run *procmon.Run) []procmon.Record {
	record := func(phase procmon.Phase, at time.Time, r procmon.Run) procmon.Record {
		return procmon.Record{Host: host, Boot: "boot-1", Time: at, Phase: phase, Run: &r}
	}
	if rnd.IntN(3) > 0 {
		return []procmon.Record{record(procmon.Whole, run.End, *run)}
	}
	open := *run
	open.End, open.Exit, open.Usage = time.Time{}, nil, nil
	all := []procmon.Record{record(procmon.Start, run.Start, open)}
	for range rnd.IntN(3) {
		share := rnd.Float64()
		so := open
		so.Usage = &procmon.Usage{User: time.Duration(share * float64(run.Usage.User)), Read: uint64(share * float64(run.Usage.Read))}
		all = append(all, record(procmon.Checkpoint, run.Start.Add(time.Duration(share*float64(run.Elapsed()))), so))
	}
	switch rnd.IntN(5) {
	case 0: // never ends
	case 1:
		so := open
		so.Unknown = true
		all = append(all, record(procmon.End, run.End, so))
	default:
		all = append(all, record(procmon.End, run.End, *run))
	}
	return all
}

// TestSumsAgree writes random lives of runs over several days, some of them
// twice and some late, with jobs of which the account, the number or the
// cluster becomes known late, and restarts the writer now and then.
func TestSumsAgree(t *testing.T) {
	rnd := seeded(t)
	o := testOptions(t)
	w := mustOpen(t, o)
	histories := []*history{newHistory(rnd, 0.2), newHistory(rnd, 0.2)}
	histories[1].host = "n2"
	var late []procmon.Record
	foreign := 0
	for range 60 {
		var batch []procmon.Record
		for range 1 + rnd.IntN(40) {
			h := histories[rnd.IntN(2)]
			if rnd.IntN(20) == 0 {
				h.now = h.now.Add(time.Duration(rnd.IntN(30)) * time.Hour)
			}
			run := h.next()
			if rnd.IntN(10) == 0 {
				run.End = run.Start.Add(time.Duration(rnd.IntN(60)) * time.Hour)
			}
			vague(rnd, &run.Job)
			foreign += forge(rnd, run)
			told := tell(rnd, h.host, run)
			if len(told) > 1 && run.Job.Evidence.Proved() && rnd.IntN(4) == 0 { // proved later than it began
				told[0].Run.Job = claimed(run.Job, run.Job.Account)
			}
			batch = append(batch, told...)
		}
		late = append(late, batch[rnd.IntN(len(batch)):]...)
		mustWrite(t, w, batch...)
		if rnd.IntN(4) == 0 {
			mustWrite(t, w, late...)
			late = nil
		}
		if rnd.IntN(10) == 0 {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = mustOpen(t, o)
		}
	}
	r := mustRead(t, w)
	agree(t, r)
	runs := histories[0].n + histories[1].n
	if got := dump(t, r, "SELECT count(*) AS n FROM runs")[0]["n"]; got != int64(runs) {
		t.Errorf("%v runs, want %d", got, runs)
	}
	// However vague some of what was told, each job is one.
	jobs := dump(t, r, "SELECT count(*) AS n FROM t_job WHERE id > 0 AND claim = -1")[0]["n"].(int64)
	if most := int64(histories[0].jobs + histories[1].jobs); jobs > most {
		t.Errorf("%d jobs, want %d at most", jobs, most)
	}
	for query, want := range map[string]int64{
		"SELECT count(*) AS n FROM runs WHERE uid = 65534 AND claim_uid = uid AND job_evidence = 'environ'": int64(foreign),
		"SELECT count(*) AS n FROM runs WHERE uid = 65534 OR claim_uid = 65534 OR account = 'evil'":         int64(foreign),
		"SELECT count(*) AS n FROM runs WHERE claim_uid <> uid":                                             0,
		"SELECT count(*) AS n FROM usage WHERE account = 'evil' AND uid <> 65534":                           0,
		"SELECT count(*) AS n FROM history WHERE account = 'evil' AND uid <> 65534":                         0,
		"SELECT count(*) AS n FROM t_step WHERE job NOT IN (SELECT id FROM t_job)":                          0,
		"SELECT count(*) AS n FROM t_run WHERE step NOT IN (SELECT id FROM t_step)":                         0,
	} {
		if got := dump(t, r, query)[0]["n"]; got != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
}

// claimed is a job as a process's environment alone would tell it.
func claimed(j procmon.Job, account string) procmon.Job {
	j.SLUID, j.Account, j.Evidence = "", account, procmon.EvidenceEnviron
	for f, e := range j.By {
		j.By[f] = min(e, procmon.EvidenceEnviron)
	}
	if j.None() {
		j = procmon.Job{}
	}
	return j
}

// forge lets a run rest on its environment's word, its owner's or somebody
// else's. It gives how many of the latter it made.
func forge(rnd *rand.Rand, run *procmon.Run) int {
	switch rnd.IntN(10) {
	case 0:
		run.Job = claimed(run.Job, run.Job.Account)
	case 1:
		if j := claimed(run.Job, "evil"); !j.None() {
			run.Job, run.Process.UID, run.UserName = j, 65534, "nobody"
			return 1
		}
	}
	return 0
}

// vague leaves out some of what is known of a job.
func vague(rnd *rand.Rand, j *procmon.Job) {
	j.SLUID = fmt.Sprintf("s%013s", j.RawID)
	switch rnd.IntN(6) {
	case 0:
		j.Account, j.By[procmon.JobAccount] = "", 0
	case 1:
		j.Account, j.By[procmon.JobAccount] = "forged", procmon.EvidenceEnviron
	case 2:
		j.RawID, j.ID, j.By[procmon.JobRawID], j.By[procmon.JobID] = "", "", 0, 0
	case 3:
		j.Cluster, j.By[procmon.JobCluster] = "", 0
	}
}
