package history

import (
	"reflect"
	"testing"

	"procmon"
)

// The mix is what its documentation says.
func TestMix(t *testing.T) {
	const runs = 200_000
	g := New(Cluster(runs, 1))
	type key struct {
		host string
		run  procmon.RunID
	}
	begun, ended := map[key]bool{}, map[key]bool{}
	lines, apps, users, jobs, identities, hosts := map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]int{}, map[string]bool{}, map[string]bool{}
	records, bytes, failed, unknown, accounted, most := 0, 0, 0, 0, 0, 0
	var last procmon.Record
	for {
		r, ok := g.Next()
		if !ok {
			break
		}
		accounted += len(g.Accounted())
		if r.Time.Before(last.Time) {
			t.Fatalf("a record of %s after one of %s", r.Time, last.Time)
		}
		records++
		if last = r; r.Run == nil {
			continue
		}
		k := key{r.Host, r.Run.Process.Run}
		if r.Phase == procmon.Whole || r.Phase == procmon.Start {
			if begun[k] {
				t.Fatalf("%v began twice", k)
			}
			begun[k] = true
		}
		if r.Phase != procmon.Whole && r.Phase != procmon.End {
			continue
		}
		ended[k] = true
		p := r.Run.Process
		if line := string(p.Args); !lines[line] {
			lines[line] = true
			bytes += len(line) - 1
		}
		apps[r.Run.Application.Name] = true
		identities[p.Exe+"\x00"+r.Run.Application.Script] = true
		hosts[r.Host] = true
		users[r.Run.UserName]++
		jobs[r.Run.Job.RawID]++
		most = max(most, users[r.Run.UserName])
		if *r.Run.Exit != (procmon.Exit{}) {
			failed++
		}
		if r.Run.Usage == nil {
			unknown++
		}
	}
	if len(begun) != runs || len(ended) != runs {
		t.Errorf("%d runs began and %d ended, want %d", len(begun), len(ended), runs)
	}
	outside := jobs[""]
	delete(jobs, "")
	if accounted != len(jobs) {
		t.Errorf("accounting tells of %d jobs, runs of %d", accounted, len(jobs))
	}
	largest := 0
	for _, n := range jobs {
		largest = max(largest, n)
	}
	t.Logf("%.3f records a run, %.2f %% new command lines of %.1f bytes, %d applications, %d identities, %d users, the busiest with %.1f %%, "+
		"%d jobs of %.1f runs, the largest %d, %.1f %% outside of jobs, %.2f %% failed, %d without usage, until %s",
		float64(records)/runs, 100*float64(len(lines))/runs, float64(bytes)/float64(len(lines)), len(apps), len(identities), len(users),
		100*float64(most)/runs, len(jobs), float64(runs-outside)/float64(len(jobs)), largest, 100*float64(outside)/runs, 100*float64(failed)/runs, unknown, last.Time)
	within := func(what string, got, least, most float64) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s: %.3f, want %g to %g", what, got, least, most)
		}
	}
	within("share of new command lines", float64(len(lines))/runs, 0.148, 0.152)
	within("bytes of a new one", float64(bytes)/float64(len(lines)), 63, 67)
	within("share of failures", float64(failed)/runs, 0.03, 0.05)
	within("hosts", float64(len(hosts)), 4, 4)
	within("users", float64(len(users)), 200, 300)
	within("share of the busiest user", float64(most)/runs, 0.05, 0.4)
	within("the largest job", float64(largest), 2000, 50000)
}

// Equal mixes make equal records, however they are asked for.
func TestSeed(t *testing.T) {
	m := Cluster(3000, 7)
	a, b := New(m), New(m)
	all := a.Batch(1 << 20)
	for i := range all {
		r, ok := b.Next()
		if !ok || !reflect.DeepEqual(r, all[i]) {
			t.Fatalf("record %d differs", i)
		}
	}
	if _, ok := b.Next(); ok {
		t.Error("one more")
	}
	m.Seed++
	if first, _ := New(m).Next(); reflect.DeepEqual(first, all[0]) {
		t.Error("another seed makes the same")
	}
}

// A history of a few runs, of one host and one user, is one too.
func TestSmall(t *testing.T) {
	m := Cluster(1, 3)
	m.Hosts, m.Users = 1, 1
	if n := len(New(m).Batch(100)); n == 0 || n > 100 {
		t.Errorf("%d records", n)
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(Cluster(1<<30, 1))
	for b.Loop() {
		g.Next()
	}
}
