package collector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"procmon"
)

// fakeStore keeps live runs, as an index does.
type fakeStore struct {
	mine, others []procmon.LiveRun
	seen         time.Time
	saved        []procmon.LiveRun
}

func (s *fakeStore) Live(context.Context) (mine, others []procmon.LiveRun, err error) {
	return s.mine, s.others, nil
}

func (s *fakeStore) SaveLive(_ context.Context, runs []procmon.LiveRun, _ time.Time) error {
	s.saved = runs
	return nil
}

func (s *fakeStore) Recorded(context.Context, []procmon.RunID) ([]procmon.RunID, error) {
	return nil, nil
}

func (s *fakeStore) LastSeen(context.Context) (time.Time, error) { return s.seen, nil }

func TestCollectorGoesOnAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		first := newWorld(t)
		first.cfg.Store = store
		first.start()
		first.run(10, "long", 0)
		time.Sleep(12 * time.Second)
		first.want(first.sink, "start long = long of alice")
		if err := first.end(); err != nil {
			t.Fatal(err)
		}
		if len(store.saved) != 1 || store.saved[0].Silent {
			t.Fatalf("saved %+v", store.saved)
		}
		id := store.saved[0].Run.Process.Run
		store.mine, store.seen = store.saved, time.Now()
		time.Sleep(time.Minute)

		second := newWorld(t)
		second.cfg.Store = store
		second.source.clock = first.source.clock // the same boot
		second.cfg.Clock = first.cfg.Clock
		alive := *store.saved[0].Run.Process
		alive.Run.Exec = 0
		second.cfg.Census = &fakeCensus{found: []*procmon.Process{&alive}}
		second.start()
		time.Sleep(15 * time.Second)
		second.exit(10)
		second.flush()
		second.want(second.sink, "loss fake: not running", "end long = long of alice")
		for _, r := range second.sink.records {
			if r.Run != nil && (r.Run.Process.Run != id || r.Run.Unknown || r.Run.Adopted) {
				t.Errorf("the run did not go on: %+v, unknown %v, adopted %v", r.Run.Process.Run, r.Run.Unknown, r.Run.Adopted)
			}
			if l := r.Loss; l != nil && (!l.From.Equal(store.seen) || l.To.Sub(l.From) < time.Minute) {
				t.Errorf("loss from %v to %v, want from %v on for a minute", l.From, l.To, store.seen)
			}
		}
		if err := second.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorClosesRunsOfAnEarlierBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := time.Now().Add(-time.Hour)
		p := process(10, ms(1), ms(2), 1000, "old")
		p.Boot, p.Time = "earlier", seen.Add(-time.Minute)
		w := newWorld(t)
		w.cfg.Store = &fakeStore{others: []procmon.LiveRun{{
			Run: procmon.Run{Process: p, Start: p.Time, Application: procmon.Application{Name: "old"}}, Booked: procmon.Usage{User: time.Second},
		}}, seen: seen}
		w.start()
		w.flush()
		w.want(w.sink, "end old = old of alice", "loss fake: not running")
		for _, r := range w.sink.records {
			if r.Run != nil && (r.Boot != "earlier" || !r.Run.Unknown || !r.Run.End.Equal(seen) || r.Run.Usage.CPU() != time.Second) {
				t.Errorf("boot %q, run %+v", r.Boot, r.Run)
			}
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// fakeBook is job facts and their shares.
type fakeBook struct {
	mu    sync.Mutex // guards the fields below
	ended []procmon.JobSummary
	done  []procmon.JobKey
	sink  *fakeSink
	fail  error
}

func (b *fakeBook) Refresh(context.Context) error { return nil }
func (b *fakeBook) Ended(context.Context) ([]procmon.JobSummary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []procmon.JobSummary
	for _, s := range b.ended {
		isDone := false
		for _, k := range b.done {
			isDone = isDone || k == s.Job.Key()
		}
		if !isDone {
			left = append(left, s)
		}
	}
	return left, nil
}

func (b *fakeBook) Done(key procmon.JobKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, key)
	return nil
}

func (b *fakeBook) set(fail error, ended ...procmon.JobSummary) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended, b.fail = ended, fail
}

// JobShare counts the runs that the sink holds by then.
func (b *fakeBook) JobShare(_ context.Context, key procmon.JobKey) (procmon.JobSummary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sink.mu.Lock()
	defer b.sink.mu.Unlock()
	var s procmon.JobSummary
	for _, r := range b.sink.records {
		if r.Run != nil && r.Run.Job.Key() == key && r.Phase != procmon.Start {
			s.Runs++
		}
	}
	return s, b.fail
}

func TestCollectorSummarisesJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		book := &fakeBook{sink: w.sink}
		w.cfg.JobEnds, w.cfg.JobShares = book, book
		w.start()
		w.run(10, "a", time.Millisecond, "JOB=7")
		w.run(11, "b", 0, "JOB=7")
		book.set(nil, procmon.JobSummary{Job: procmon.Job{RawID: "7"}, CPUs: 2, End: time.Now()})
		time.Sleep(4 * time.Second)
		w.want(w.sink, "whole a = a of alice") // b still goes on
		w.exit(11)
		time.Sleep(4 * time.Second)
		w.want(w.sink, "whole a = a of alice", "whole b = b of alice", "job 7")
		if s := w.sink.records[len(w.sink.records)-1].Summary; s == nil || s.Runs != 2 || s.CPUs != 2 {
			t.Errorf("summary %+v, want 2 runs on 2 CPUs", s)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
		if len(book.done) != 1 {
			t.Errorf("done %v, want once", book.done)
		}
	})
}

func TestCollectorSummarisesDespiteSurvivorsAndErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		book := &fakeBook{sink: w.sink}
		w.cfg.JobEnds, w.cfg.JobShares = book, book
		w.start()
		w.run(11, "survivor", 0, "JOB=7")
		job := procmon.JobSummary{Job: procmon.Job{RawID: "7"}}
		book.set(errors.New("index is locked"), job)
		time.Sleep(14 * time.Second)
		w.want(w.sink, "start survivor = survivor of alice")
		book.set(nil, job)
		time.Sleep(2 * time.Second)
		w.want(w.sink, "start survivor = survivor of alice", "job 7")
		s := w.sink.records[len(w.sink.records)-1].Summary
		if s == nil || s.Surviving != 1 || len(s.Survivors) != 1 || s.Survivors[0].Run.Process.PID != 11 || s.Survivors[0].Exe != "survivor" {
			t.Errorf("summary %+v, want one survivor, of pid 11", s)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorClearsJobsAwayWithoutShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		book := &fakeBook{sink: w.sink}
		w.cfg.JobEnds = book
		w.start()
		book.set(nil, procmon.JobSummary{Job: procmon.Job{RawID: "7"}})
		time.Sleep(3 * time.Second)
		w.want(w.sink)
		if err := w.end(); err != nil {
			t.Error(err)
		}
		if len(book.done) != 1 {
			t.Errorf("done %v, want once", book.done)
		}
	})
}

func TestCollectorStopAppliesWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.flush()
		w.run(10, "a", time.Millisecond) // no mark has passed it when the stop comes
		if err := w.end(); err != nil {
			t.Error(err)
		}
		w.want(w.sink, "whole a = a of alice")
	})
}

func TestCollectorSpreadsStartRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = maxStarts + maxStarts/2
		w := newWorld(t)
		w.cfg.Sinks = []SinkConfig{{Name: "good", Sink: w.sink, Bytes: 1 << 26}}
		census := &fakeCensus{}
		for i := range runs {
			now := w.source.clock.Now()
			p := process(int32(100+i), now, now, 1000, "a")
			p.Run.Exec, p.Time = 0, w.source.clock.Wall(now)
			census.found = append(census.found, p)
		}
		w.cfg.Census = census
		w.start()
		most, before := 0, 0
		for range 20 {
			time.Sleep(time.Second)
			synctest.Wait()
			n := len(w.sink.lines())
			most, before = max(most, n-before), n
		}
		if before != runs || most > maxStarts {
			t.Errorf("%d start records of %d, up to %d in a second", before, runs, most)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}
