package index

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// accounted is what accounting says of job 7788 of uid 12399, changed by change.
func accounted(change func(*procmon.Accounted)) procmon.Accounted {
	a := procmon.Accounted{
		Job: procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: "7788", RawID: "7788", User: "vera", UID: 12399, Account: "chem", Partition: "main", Name: "md",
			By: evidence(procmon.EvidenceAccounting, map[procmon.JobField]procmon.Evidence{procmon.JobStep: 0, procmon.JobTask: 0})},
		Allocation: procmon.Allocation{State: "COMPLETED", Over: true, Exit: &procmon.Exit{}, CPUs: 4, Nodes: 1, NodeList: "n1",
			Hosts: []procmon.HostShare{{Host: "n1", CPUs: 4}}, Submit: t0.Add(-time.Hour), Start: t0, End: t0.Add(time.Hour), Elapsed: time.Hour},
	}
	if change != nil {
		change(&a)
	}
	return a
}

func silent(a *procmon.Accounted) { a.Job.Restart, a.Job.By[procmon.JobRestart] = 0, 0 }

func mustImporter(t testing.TB, path string) *Importer {
	t.Helper()
	i, err := OpenImporter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func mustImport(t testing.TB, i *Importer, jobs ...procmon.Accounted) Imported {
	t.Helper()
	done, err := i.Import(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestImportClaims imports before, between and after the runs of a job's
// owner and of an attacker, who both tell it by environment alone. The writer
// goes on meanwhile.
func TestImportClaims(t *testing.T) {
	runs := []*procmon.Run{claimant(1, 12399, "phys"), claimant(2, 65534, "evil"), claimant(3, 12399, "phys"), claimant(4, 65534, "evil")}
	for at := range len(runs) + 1 {
		t.Run(fmt.Sprint("after ", at, " runs"), func(t *testing.T) {
			w := mustOpen(t, testOptions(t))
			i := mustImporter(t, w.opts.Path)
			for n, r := range runs {
				if n == at {
					mustImport(t, i, accounted(nil))
				}
				mustWrite(t, w, whole(r))
			}
			if at == len(runs) {
				mustImport(t, i, accounted(nil))
			}
			r := mustRead(t, w)
			got := dump(t, r, "SELECT uid, claim_uid, account, job_name, count(*) AS runs FROM runs GROUP BY 1, 2, 3, 4 ORDER BY 1")
			want := []map[string]any{
				{"uid": int64(12399), "account": "chem", "job_name": "md", "runs": int64(2)},
				{"uid": int64(65534), "claim_uid": int64(65534), "account": "evil", "job_name": "evil", "runs": int64(2)},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
			agree(t, r)
			for _, query := range []string{
				"SELECT count(*) FROM history WHERE account = 'phys'",
				"SELECT count(*) FROM t_run WHERE step NOT IN (SELECT id FROM t_step)",
				"SELECT count(*) FROM t_step WHERE job NOT IN (SELECT id FROM t_job)",
			} {
				if n := number(t, r, query); n != 0 {
					t.Errorf("%s: %d", query, n)
				}
			}
		})
	}
}

// TestAccountingIsStrongest tells a job by its prolog and its processes, before
// and after accounting: accounting's word stays.
func TestAccountingIsStrongest(t *testing.T) {
	prolog := with(func(r *procmon.Run) {
		r.Process.UID, r.Process.EUID = 12399, 12399
		r.Job = job(procmon.EvidenceFacts, func(j *procmon.Job) {
			j.ID, j.RawID, j.Cluster, j.UID, j.User, j.Account, j.Partition, j.Name = "7788", "7788", "c1", 12399, "vera", "old", "old", "old"
		})
	})
	for _, first := range []bool{true, false} {
		w := mustOpen(t, testOptions(t))
		i := mustImporter(t, w.opts.Path)
		if first {
			mustImport(t, i, accounted(nil))
		}
		mustWrite(t, w, whole(prolog))
		if !first {
			mustImport(t, i, accounted(nil))
		}
		r := mustRead(t, w)
		got := dump(t, r, "SELECT account, partition, job_name, user FROM runs UNION ALL SELECT account, partition, NULL, NULL FROM history")
		want := []map[string]any{{"account": "chem", "partition": "main", "job_name": "md", "user": "alice"}, {"account": "chem", "partition": "main"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("accounting first: %t (-want +got):\n%s", first, diff)
		}
	}
}

// TestImported imports one thing after another.
func TestImported(t *testing.T) {
	type in = func(*procmon.Accounted)
	running := func(a *procmon.Accounted) {
		a.State, a.Over, a.Exit, a.End, a.Elapsed = "RUNNING", false, nil, time.Time{}, time.Minute
	}
	pending := func(a *procmon.Accounted) {
		running(a)
		a.State, a.Start, a.Elapsed, a.CPUs, a.Nodes, a.NodeList, a.Hosts = "PENDING", time.Time{}, 0, 0, 0, "", nil
	}
	both := func(all ...in) in {
		return func(a *procmon.Accounted) {
			for _, f := range all {
				f(a)
			}
		}
	}
	next := func(a *procmon.Accounted) { a.Start, a.End = a.Start.Add(2*time.Hour), a.End.Add(2*time.Hour) }
	restart := func(n int) in { return func(a *procmon.Accounted) { a.Job.Restart = n } }
	state := func(s string) in { return func(a *procmon.Accounted) { a.State = s } }
	for _, tt := range []struct {
		name string
		in   []in
		want string // state of each life
		done Imported
	}{
		{"twice", []in{nil, nil}, "0:COMPLETED", Imported{Added: 1, Same: 1}},
		{"it goes on, then ends", []in{pending, running, nil}, "0:COMPLETED", Imported{Added: 1, Updated: 2}},
		{"an old file last", []in{nil, running, pending}, "0:COMPLETED", Imported{Added: 1, Same: 2}},
		{"corrected", []in{nil, state("FAILED")}, "0:FAILED", Imported{Added: 1, Updated: 1}},
		{"lives that are told", []in{state("NODE_FAIL"), both(next, restart(1))}, "0:NODE_FAIL 1:COMPLETED", Imported{Added: 2}},
		{"lives that are not told", []in{both(silent, state("NODE_FAIL")), both(silent, next)}, "0:COMPLETED", Imported{Added: 1, Updated: 1}},
		{"lives that are not told, the other way round", []in{both(silent, next), both(silent, state("NODE_FAIL"))}, "0:COMPLETED", Imported{Added: 1, Older: 1}},
		{"starts without, ends with a count", []in{both(running, silent), both(state("requeued")), both(running, silent, next), both(next, restart(1))},
			"0:requeued 1:COMPLETED", Imported{Added: 2, Updated: 2}},
		{"starts first, ends then", []in{both(running, silent), both(running, silent, next), both(state("requeued")), both(next, restart(1))},
			"0:requeued 1:COMPLETED", Imported{Added: 2, Updated: 2}},
		{"an end, then its start", []in{both(next, restart(1)), both(running, silent, next)}, "1:COMPLETED", Imported{Added: 1, Same: 1}},
		{"no cluster, then one", []in{func(a *procmon.Accounted) { a.Job.Cluster, a.Job.By[procmon.JobCluster] = "", 0 }, nil}, "0:COMPLETED", Imported{Added: 1, Updated: 1}},
		{"a cluster, then none", []in{nil, func(a *procmon.Accounted) { a.Job.Cluster, a.Job.By[procmon.JobCluster] = "", 0 }}, "0:COMPLETED", Imported{Added: 1, Same: 1}},
		{"two clusters", []in{nil, func(a *procmon.Accounted) { a.Job.Cluster = "c2" }}, "0:COMPLETED 0:COMPLETED", Imported{Added: 2}},
		{"no user's number", []in{func(a *procmon.Accounted) { a.Job.UID = procmon.NoUID }, nil}, "0:COMPLETED", Imported{Added: 1, Updated: 1}},
		{"a number, then none", []in{nil, func(a *procmon.Accounted) { a.Job.UID = procmon.NoUID }}, "0:COMPLETED", Imported{Added: 1, Same: 1}},
		{"no number of the job", []in{func(a *procmon.Accounted) { a.Job.RawID = "" }}, "", Imported{Refused: []*RefusedError{{0, "a job without its number"}}}},
	} {
		for _, batched := range []bool{true, false} {
			t.Run(fmt.Sprint(tt.name, ", batched: ", batched), func(t *testing.T) {
				w := mustOpen(t, testOptions(t))
				mustWrite(t, w, whole(aRun()))
				i := mustImporter(t, w.opts.Path)
				var all []procmon.Accounted
				for _, change := range tt.in {
					all = append(all, accounted(change))
				}
				var done Imported
				if batched {
					done = mustImport(t, i, all...)
				} else {
					for _, a := range all {
						one := mustImport(t, i, a)
						done.Added, done.Updated, done.Same, done.Older = done.Added+one.Added, done.Updated+one.Updated, done.Same+one.Same, done.Older+one.Older
						done.Refused = append(done.Refused, one.Refused...)
					}
				}
				if diff := cmp.Diff(tt.done, done); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				var lives []string
				for _, row := range dump(t, mustRead(t, w), "SELECT restart, state, uid FROM allocations WHERE raw_job_id = '7788' ORDER BY cluster, restart") {
					lives = append(lives, fmt.Sprintf("%d:%s", row["restart"], row["state"]))
					if row["uid"] != int64(12399) {
						t.Errorf("uid %v", row["uid"])
					}
				}
				if got := strings.Join(lives, " "); got != tt.want {
					t.Errorf("lives %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// A job that runs showed to be somebody else's is not the one that accounting
// tells of.
func TestImportRefused(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(victim(1)))
	i := mustImporter(t, w.opts.Path)
	done := mustImport(t, i, accounted(func(a *procmon.Accounted) { a.Job.UID = 1001 }), accounted(func(a *procmon.Accounted) { a.Job.RawID, a.Job.ID = "7", "7" }))
	if done.Added != 1 || len(done.Refused) != 1 || done.Refused[0].Index != 0 || !strings.Contains(done.Refused[0].Why, "of user 12399, by cgroup") {
		t.Errorf("%+v", done)
	}
	got := dump(t, mustRead(t, w), "SELECT uid, account FROM jobs WHERE job_id = '7788'")
	if diff := cmp.Diff([]map[string]any{{"uid": int64(12399)}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestImportOwnerByName imports what tells the owner's name only, as PBS does:
// the number is that of the runs of the user of that name.
func TestImportOwnerByName(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	known := claimant(1, 12399, "phys")
	known.UserName = "vera"
	mustWrite(t, w, whole(known), whole(claimant(2, 65534, "evil")))
	i := mustImporter(t, w.opts.Path)
	mustImport(t, i, accounted(func(a *procmon.Accounted) { a.Job.UID = procmon.NoUID }))
	got := dump(t, mustRead(t, w), "SELECT uid, claim_uid, account FROM runs ORDER BY uid")
	want := []map[string]any{{"uid": int64(12399), "account": "chem"}, {"uid": int64(65534), "claim_uid": int64(65534), "account": "evil"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestImportShares notes shares of hosts that the index knows, by short names
// too, and leaves what prolog and epilog said.
func TestImportShares(t *testing.T) {
	o := testOptions(t)
	o.Host = "n2.cluster.example"
	w := mustOpen(t, o)
	summary := procmon.JobSummary{Job: accounted(nil).Job, CPUs: 3, Start: t0.Add(time.Second)}
	mustWrite(t, w, procmon.Record{Host: "n1", Time: t0, Summary: &summary})
	mustImport(t, mustImporter(t, o.Path), accounted(func(a *procmon.Accounted) {
		a.Hosts = []procmon.HostShare{{Host: "n1", CPUs: 4, GPUs: 1}, {Host: "n2", CPUs: 4}, {Host: "n3", CPUs: 4}}
	}))
	got := dump(t, mustRead(t, w), `SELECT host, cpus, gpus, start, "end" FROM jobs ORDER BY host`)
	at := float64(t0.Unix())
	want := []map[string]any{
		{"host": "n1", "cpus": int64(3), "gpus": int64(1), "start": at + 1, "end": at + 3600},
		{"host": "n2.cluster.example", "cpus": int64(4), "start": at, "end": at + 3600},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestImportSilentLives imports lives of a job without their numbers: those
// that prologs told of are told apart by when they began.
func TestImportSilentLives(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	for life := range 2 {
		j := accounted(nil).Job
		j.By, j.Restart = evidence(procmon.EvidenceFacts, nil), life
		begin := t0.Add(time.Duration(life)*2*time.Hour + time.Second)
		mustWrite(t, w, procmon.Record{Host: "n1", Time: begin, Summary: &procmon.JobSummary{Job: j, Start: begin}})
	}
	first := accounted(func(a *procmon.Accounted) { silent(a); a.State = "NODE_FAIL" })
	second := accounted(func(a *procmon.Accounted) {
		silent(a)
		a.Start, a.End = a.Start.Add(2*time.Hour), a.End.Add(2*time.Hour)
	})
	i := mustImporter(t, w.opts.Path)
	for _, batch := range [][]procmon.Accounted{{second, first}, {first, second}} {
		mustImport(t, i, batch...)
		got := dump(t, mustRead(t, w), "SELECT restart, state FROM allocations ORDER BY restart")
		want := []map[string]any{{"restart": int64(0), "state": "NODE_FAIL"}, {"restart": int64(1), "state": "COMPLETED"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// aYear makes what accounting says of random jobs at different times: in the
// order of time, and of each life the more the later.
func aYear(rnd *rand.Rand, jobs int) []procmon.Accounted {
	var all []procmon.Accounted
	for n := range jobs {
		id := fmt.Sprint(100001 + n)
		start := t0.Add(time.Duration(rnd.IntN(100)) * time.Hour)
		for life := range 1 + rnd.IntN(2) {
			end := start.Add(time.Duration(1+rnd.IntN(1e6)) * time.Millisecond)
			ended := accounted(func(a *procmon.Accounted) {
				a.Job.ID, a.Job.RawID, a.Job.Restart = id, id, life
				a.Job.User, a.Job.UID = fmt.Sprint("user", n%7), uint32(2000+n%7)
				a.Job.Account = fmt.Sprint("acct", rnd.IntN(3))
				a.State = []string{"COMPLETED", "FAILED", "TIMEOUT"}[rnd.IntN(3)]
				a.Exit = &procmon.Exit{Code: rnd.IntN(2), Signal: rnd.IntN(2) * 9}
				if a.Exit.Signal > 0 {
					a.Exit.Code = 0
				}
				a.CPUs, a.GPUs, a.Start, a.End, a.Elapsed = 1+rnd.IntN(64), rnd.IntN(3), start, end, end.Sub(start)
				a.CPU = time.Duration(rnd.IntN(1e9))
			})
			running, pending := ended, ended
			running.State, running.Over, running.Exit, running.End, running.CPU = "RUNNING", false, nil, time.Time{}, 0
			running.Elapsed = ended.Elapsed / 2
			running.Job.Account = "before" // changed while it ran
			pending.Allocation = procmon.Allocation{State: "PENDING", Submit: ended.Submit}
			for _, a := range []procmon.Accounted{pending, running, ended} {
				if a.Over || rnd.IntN(2) == 0 {
					all = append(all, a)
				}
			}
			start = end.Add(time.Minute)
		}
	}
	return all
}

const imported = `SELECT raw_job_id, restart, user, uid, account, job_name, state, over, exit_code, exit_signal, cpus, gpus, nodes, node_list,
	submit, start, "end", elapsed_seconds, cpu_seconds, allocated_core_seconds FROM allocations ORDER BY raw_job_id, restart`

// TestImportOrder imports random jobs in a random order, some of it twice and
// in batches of any size, while a writer writes runs of the same jobs. What is
// known then is what one import in order would have told.
func TestImportOrder(t *testing.T) {
	rnd := seeded(t)
	all := aYear(rnd, 40)
	plain := mustOpen(t, testOptions(t))
	mustImport(t, mustImporter(t, plain.opts.Path), all...)
	want := dump(t, mustRead(t, plain), imported)

	w := mustOpen(t, testOptions(t))
	mustWrite(t, w, whole(aRun())) // shares of hosts that are not known are not kept
	i := mustImporter(t, w.opts.Path)
	h := newHistory(rnd, 0.2)
	shuffled := append(slices.Clone(all), all[:len(all)/3]...)
	rnd.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	for len(shuffled) > 0 {
		n := min(len(shuffled), 1+rnd.IntN(20))
		mustImport(t, i, shuffled[:n]...)
		shuffled = shuffled[n:]
		var batch []procmon.Record
		for range rnd.IntN(30) {
			run := h.next()
			run.Job.By[procmon.JobRestart] = 0 // the prolog does not tell it
			user := (h.jobs - 1) % 7
			run.Job.UID, run.Job.User = uint32(2000+user), fmt.Sprint("user", user)
			run.Process.UID, run.Process.EUID, run.UserName = run.Job.UID, run.Job.UID, run.Job.User
			vague(rnd, &run.Job)
			forge(rnd, run)
			batch = append(batch, tell(rnd, h.host, run)...)
		}
		mustWrite(t, w, batch...)
	}
	r := mustRead(t, w)
	got := dump(t, r, imported)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-in order +shuffled:\n%s", diff)
	}
	agree(t, r)
	before := dump(t, r, "SELECT * FROM t_job JOIN t_allocation ON job = t_job.id")
	done := mustImport(t, i, all...)
	if done.Added+done.Updated > 0 {
		t.Errorf("once more: %+v", done)
	}
	if diff := cmp.Diff(before, dump(t, r, "SELECT * FROM t_job JOIN t_allocation ON job = t_job.id")); diff != "" {
		t.Errorf("once more (-before +after):\n%s", diff)
	}
}

// Allocations go when usage of their time does.
func TestPruneAllocations(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns, o.KeepUsage = 20*24*time.Hour, 20*24*time.Hour
	w := days(t, o, 30, 5)
	i := mustImporter(t, o.Path)
	for n := range 30 {
		mustImport(t, i, accounted(func(a *procmon.Accounted) {
			a.Job.RawID, a.Job.ID = fmt.Sprint(n), fmt.Sprint(n)
			a.Start, a.End = t0.AddDate(0, 0, -n), t0.AddDate(0, 0, -n).Add(time.Minute)
			a.Hosts = nil
		}))
	}
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, w)
	if n := number(t, r, "SELECT count(*) FROM allocations"); n != 21 {
		t.Errorf("%d allocations left", n)
	}
	if n := number(t, r, "SELECT count(*) FROM t_allocation WHERE job NOT IN (SELECT id FROM t_job)"); n != 0 {
		t.Errorf("%d allocations of no job", n)
	}
}

// An importer makes no index and changes no other one.
func TestOpenImporter(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenImporter(t.Context(), filepath.Join(dir, "none.db")); !errors.Is(err, ErrNone) {
		t.Errorf("no file: %v", err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenImporter(t.Context(), empty); !errors.Is(err, ErrNone) {
		t.Errorf("an empty file: %v", err)
	}
	if st, err := os.Stat(empty); err != nil || st.Size() != 0 {
		t.Errorf("the empty file: %v, %v", st, err)
	}
	w := mustOpen(t, testOptions(t))
	if _, err := w.conn.ExecContext(t.Context(), "PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenImporter(t.Context(), w.opts.Path); !errors.Is(err, ErrOlder) {
		t.Errorf("an older index: %v", err)
	}
	if _, err := OpenImporter(t.Context(), dir); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
}

// TestImportBeside imports and writes at the same time: both wait for one
// another, and all of both is stored.
func TestImportBeside(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	i := mustImporter(t, w.opts.Path)
	done := make(chan error, 1)
	all := aYear(seeded(t), 300)
	go func() {
		for batch := range slices.Chunk(all, 20) {
			if _, err := i.Import(t.Context(), batch); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	h := newHistory(seeded(t), 0.2)
	h.jobs = 5000 // others than those of accounting, whose owners are others
	for range 40 {
		mustWrite(t, w, h.batch(25)...)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, w)
	agree(t, r)
	if n := number(t, r, "SELECT count(DISTINCT raw_job_id) FROM allocations"); n != 300 {
		t.Errorf("%d jobs", n)
	}
	if n := number(t, r, "SELECT count(*) FROM runs"); n != 1000 {
		t.Errorf("%d runs", n)
	}
}
