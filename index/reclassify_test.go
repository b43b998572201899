package index

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// dice are rules that name a program by its path and their own number, and keep
// the name that some of them have.
func dice(number int) func(string, procmon.Application) procmon.Application {
	return func(exe string, was procmon.Application) procmon.Application {
		h := fnv.New32a()
		fmt.Fprint(h, exe, number)
		n := h.Sum32()
		if n%4 == 0 {
			return was
		}
		return procmon.Application{
			Name: tools[n/4%5], Version: fmt.Sprint(n / 64 % 3), Kind: procmon.KindApplication,
			Package: fmt.Sprint(n / 256 % 2), Evidence: "names", Rules: fmt.Sprint(number), Script: was.Script, Image: was.Image,
		}
	}
}

func mustReclassify(t testing.TB, i *Importer, o Reclassify) Reclassified {
	t.Helper()
	r, err := i.Reclassify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// busyDays writes some days of two hosts' runs, some of which go over midnight
// and some of which are still open.
func busyDays(t testing.TB, rnd *rand.Rand, w *Writer, batches int) {
	t.Helper()
	histories := []*history{newHistory(rnd, 0.2), newHistory(rnd, 0.2)}
	histories[1].host = "n2"
	for range batches {
		var batch []procmon.Record
		h := histories[rnd.IntN(2)]
		h.now = h.now.Add(time.Duration(rnd.IntN(20)) * time.Hour)
		for range 1 + rnd.IntN(40) {
			run := h.next()
			if rnd.IntN(10) == 0 {
				run.End = run.Start.Add(time.Duration(rnd.IntN(60)) * time.Hour)
			}
			if rnd.IntN(3) == 0 {
				run.Application = procmon.Application{Kind: procmon.KindUnknown, Rules: "1"}
				run.Process.Exe = fmt.Sprint("/home/u/bin/x", rnd.IntN(30))
			}
			batch = append(batch, tell(rnd, h.host, run)...)
		}
		mustWrite(t, w, batch...)
	}
}

// TestReclassifyAgrees renames programs at random, some of it cut short or while
// others write: all tables agree after each step, and no sum is another one.
func TestReclassifyAgrees(t *testing.T) {
	rnd := seeded(t)
	w := mustOpen(t, testOptions(t))
	busyDays(t, rnd, w, 60)
	r, i := mustRead(t, w), mustImporter(t, w.opts.Path)
	const all = "SELECT host, step, user, identity, " + ofRuns + " FROM t_run GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
	for number := range 5 {
		before := dump(t, r, all)
		o := Reclassify{Name: dice(number)}
		ctx, cancel := context.WithCancel(t.Context())
		if number%2 == 1 { // an interrupt in the middle
			o.Progress = func(step string, done, all int64) {
				if step == stepStore {
					agree(t, r)
					cancel()
				}
			}
			if got, err := i.Reclassify(ctx, o); !errors.Is(err, context.Canceled) && got.Done < got.Changed {
				t.Errorf("interrupted: %+v, %v", got, err)
			}
			agree(t, r)
		}
		cancel()
		o.Progress = nil
		mustReclassify(t, i, o)
		agree(t, r)
		if diff := cmp.Diff(before, dump(t, r, all)); diff != "" {
			t.Fatalf("single runs (-before +after):\n%s", diff)
		}
		if again := mustReclassify(t, i, o); again.Changed != 0 {
			t.Errorf("a second time %+v", again)
		}
		named(t, r, dice(number))
	}
}

// named checks that all programs have the answer that rules give.
func named(t testing.TB, r *Reader, name func(string, procmon.Application) procmon.Application) {
	t.Helper()
	for _, row := range dump(t, r, "SELECT i.exe, a.name, a.version, i.hash, a.id, i.rules, i.package FROM t_identity i JOIN t_app a ON a.id = i.app") {
		text := func(k string) string { s, _ := row[k].(string); return s }
		was := procmon.Application{Name: text("name"), Version: text("version"), Rules: text("rules"), Package: text("package")}
		if want := name(text("exe"), was); want.Name != was.Name || want.Version != was.Version || want.Package != was.Package {
			t.Errorf("%s is %s %s, want %s %s", text("exe"), was.Name, was.Version, want.Name, want.Version)
		}
	}
}

// TestPlanReclassify tells the same as the real one, and changes nothing.
func TestPlanReclassify(t *testing.T) {
	rnd := seeded(t)
	w := mustOpen(t, testOptions(t))
	busyDays(t, rnd, w, 20)
	r, i := mustRead(t, w), mustImporter(t, w.opts.Path)
	const everything = "SELECT * FROM t_identity ORDER BY id"
	before := dump(t, r, everything)
	would, err := PlanReclassify(t.Context(), w.opts.Path, Reclassify{Name: dice(1)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, r, everything)); diff != "" || would.Done != 0 {
		t.Errorf("planning changed (-before +after):\n%s", diff)
	}
	did := mustReclassify(t, i, Reclassify{Name: dice(1)})
	if diff := cmp.Diff(would.Changes, did.Changes); diff != "" || did.Done != would.Changed {
		t.Errorf("done %d of %d (-told +done):\n%s", did.Done, would.Changed, diff)
	}
	var runs, cpu int64
	for _, c := range did.Changes {
		runs, cpu = runs+c.Runs, cpu+c.CPU.Microseconds()
	}
	row := dump(t, r, `SELECT sum(runs) AS runs, sum(user_us + sys_us) AS cpu FROM t_usage WHERE identity IN (SELECT id FROM t_identity WHERE rules = '1' AND evidence = 'names')`)[0]
	if row["runs"] != runs || row["cpu"] != cpu {
		t.Errorf("told %d runs and %d µs, there are %v", runs, cpu, row)
	}
}

// TestReclassifySince leaves alone what was not used lately.
func TestReclassifySince(t *testing.T) {
	w := mustOpen(t, testOptions(t))
	old, young := aRun(), aRun()
	old.Process.Exe, old.Start, old.End = "/old", t0.AddDate(0, 0, -10), t0.AddDate(0, 0, -10).Add(time.Second)
	young.Process.Exe = "/young"
	mustWrite(t, w, whole(old), whole(young))
	got := mustReclassify(t, mustImporter(t, w.opts.Path), Reclassify{Since: t0.AddDate(0, 0, -1), Name: func(_ string, was procmon.Application) procmon.Application {
		was.Name = "New"
		return was
	}})
	if got.Programs != 1 || got.Done != 1 {
		t.Errorf("%+v", got)
	}
	want := []map[string]any{{"executable": "/old", "application": "GROMACS"}, {"executable": "/young", "application": "New"}}
	if diff := cmp.Diff(want, dump(t, mustRead(t, w), "SELECT executable, application FROM runs ORDER BY 1")); diff != "" {
		t.Error(diff)
	}
}

// TestReclassifyPruned renames what single runs are gone of.
func TestReclassifyPruned(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns = time.Hour
	now := t0
	o.Now = func() time.Time { return now }
	w := mustOpen(t, o)
	mustWrite(t, w, whole(aRun()))
	now = t0.AddDate(0, 0, 2)
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustReclassify(t, mustImporter(t, w.opts.Path), Reclassify{Name: dice(2)})
	r := mustRead(t, w)
	want := []map[string]any{{"single": int64(0), "usage": tools[dicedTool("/apps/gmx/bin/gmx", 2)], "history": tools[dicedTool("/apps/gmx/bin/gmx", 2)]}}
	if diff := cmp.Diff(want, dump(t, r, "SELECT (SELECT count(*) FROM runs) AS single, (SELECT application FROM usage) AS usage, (SELECT application FROM history) AS history")); diff != "" {
		t.Error(diff)
	}
}

func dicedTool(exe string, number int) int {
	h := fnv.New32a()
	fmt.Fprint(h, exe, number)
	return int(h.Sum32() / 4 % 5)
}

// TestReclassifyWhileWriting renames again and again while the daemon writes
// runs of the same programs, on new days and on old ones, and prunes.
func TestReclassifyWhileWriting(t *testing.T) {
	rnd := seeded(t)
	o := testOptions(t)
	w := mustOpen(t, o)
	busyDays(t, rnd, w, 20)
	i := mustImporter(t, w.opts.Path)
	stop, stopped := make(chan bool), make(chan error, 1)
	go func() { // the daemon: its rules are the old ones, its caches warm
		h := newHistory(rand.New(rand.NewPCG(7, 7)), 0.2)
		h.host = "n3"
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if n%10 == 0 { // late: into the middle of what is there
				h.now = t0.Add(time.Duration(n%200) * time.Hour)
			}
			if err := w.Write(context.Background(), h.batch(20)); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for number := range 4 {
		mustReclassify(t, i, Reclassify{Name: dice(number)})
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, w)
	agree(t, r)
	mustReclassify(t, i, Reclassify{Name: dice(9)})
	agree(t, r)
	named(t, r, dice(9))
	// A daemon with today's rules finds the row that was renamed.
	count := func() any { return dump(t, r, "SELECT count(*) AS n FROM t_identity")[0]["n"] }
	before := count()
	run := aRun()
	run.Process.Exe = "/apps/gcc/bin/gcc"
	run.Start = t0.AddDate(0, 1, 0)
	run.Application = dice(9)(run.Process.Exe, procmon.Application{Name: "gcc", Version: "1.0", Kind: procmon.KindApplication, Package: "gcc/1.0", Evidence: "easybuild", Rules: "1"})
	mustWrite(t, w, whole(run))
	if after := count(); after != before {
		t.Errorf("%v programs, before %v", after, before)
	}
	agree(t, r)
}
