package collector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// fakeMeter gives each process's run what the test says, by pid.
type fakeMeter struct {
	mu    sync.Mutex // guards the fields below
	used  map[int32]procmon.Usage
	err   error
	asked int // runs, in all

	hold chan struct{} // set before the start: Measure waits until it is closed
}

func (m *fakeMeter) Measure(ctx context.Context, runs []procmon.LiveRun) ([]procmon.Usage, error) {
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked += len(runs)
	usages := make([]procmon.Usage, len(runs))
	for i := range runs {
		usages[i] = m.used[runs[i].Run.Process.Run.Process.PID]
	}
	return usages, m.err
}

func (m *fakeMeter) set(pid int32, u procmon.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil {
		m.used = map[int32]procmon.Usage{}
	}
	m.used[pid] = u
}

func (m *fakeMeter) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *fakeMeter) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func cpu(n int) procmon.Usage { return procmon.Usage{User: time.Duration(n) * time.Millisecond} }

// told are the records of a phase that the sink has.
func (w *world) told(phase procmon.Phase) (records []procmon.Record) {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	for _, r := range w.sink.records {
		if r.Run != nil && r.Phase == phase {
			records = append(records, r)
		}
	}
	return records
}

func newMeasured(t *testing.T) (*world, *fakeMeter) {
	w, m := newWorld(t), &fakeMeter{}
	w.cfg.Meter = m
	return w, m
}

func TestCheckpointsTellWhatIsUsedSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := newMeasured(t)
		w.start()
		began := time.Now()
		w.run(10, "long", 0)
		w.run(11, "short", time.Second)
		var want []time.Duration
		for hour, told := range []int{100, 250, 240, 0} { // a reading that is less must not show
			m.set(10, cpu(told))
			time.Sleep(time.Until(began.Add(time.Duration(hour+1)*time.Hour + 2*time.Minute)))
			want = append(want, []time.Duration{100, 250, 250, 250}[hour]*time.Millisecond)
		}
		var got []time.Duration
		for i, r := range w.told(procmon.Checkpoint) {
			got = append(got, r.Run.Usage.CPU())
			due := began.Add(time.Duration(i+1) * time.Hour)
			if r.Time.Before(due) || r.Time.After(due.Add(time.Minute+2*time.Second)) {
				t.Errorf("checkpoint %d at %v, want it at %v or within a minute", i, r.Time, due)
			}
			if r.Run.Process.Exe != "long" || r.Run.Application.Name != "long" || !r.Run.End.IsZero() {
				t.Errorf("checkpoint %d: %+v", i, r.Run)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("CPU time (-want +got):\n%s", diff)
		}
		w.exit(10) // its exact counters say 1 ms
		w.flush()
		if end := w.told(procmon.End); len(end) != 1 || end[0].Run.Usage.CPU() != 250*time.Millisecond {
			t.Errorf("end %+v, want 250 ms", end)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// What an execve or an exit that is not applied yet took from a run while it
// was measured is not told of it.
func TestCheckpointsAreOfRunsThatStillGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := newMeasured(t)
		m.hold = make(chan struct{})
		w.source.lag = 5 * time.Second
		w.start()
		fork := func(child, parent int32) {
			now := w.source.clock.Now()
			w.source.events <- procmon.Event{Kind: procmon.EventFork, Time: now, Proc: procmon.ProcessID{PID: child, Start: now.Ticks()},
				Parent: procmon.ProcessID{PID: parent}}
		}
		w.run(10, "a", 0)
		fork(11, 10)
		w.run(20, "gone", 0)
		w.run(30, "stays", 0)
		w.run(40, "pool", 0)
		fork(41, 40)
		w.exit(40)
		time.Sleep(62 * time.Minute) // they are being measured
		for _, pid := range []int32{10, 20, 30, 40} {
			m.set(pid, cpu(100))
		}
		now := w.source.clock.Now()
		next := process(10, now-1, now, 1000, "b")
		next.Run.Process.Start = 0
		close(m.hold)
		time.Sleep(3 * time.Second) // what the source tells now happened before they were measured
		w.source.events <- procmon.Event{Kind: procmon.EventExec, Time: now, Proc: next.Run.Process, Process: next}
		for _, pid := range []int32{20, 41} {
			w.source.events <- procmon.Event{Kind: procmon.EventExit, Time: now, Proc: procmon.ProcessID{PID: pid}}
			w.source.events <- procmon.Event{Kind: procmon.EventFinal, Time: now, Proc: procmon.ProcessID{PID: pid}, Used: used(1)}
		}
		time.Sleep(3500 * time.Millisecond)
		tell := func() (all []string) {
			for _, r := range w.told(procmon.Checkpoint) {
				all = append(all, r.Run.Process.Exe)
			}
			return all
		}
		if diff := cmp.Diff([]string{"stays"}, tell()); diff != "" {
			t.Errorf("told first (-want +got):\n%s", diff)
		}
		time.Sleep(10 * time.Second) // what goes on in the forked child is measured again
		if diff := cmp.Diff([]string{"stays", "a"}, tell()); diff != "" {
			t.Errorf("told then (-want +got):\n%s", diff)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckpointsDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := newMeasured(t)
		m.hold = make(chan struct{})
		w.start()
		w.run(10, "long", 0)
		time.Sleep(2 * time.Hour)
		w.run(11, "a", time.Millisecond)
		w.flush()
		w.want(w.sink, "start long = long of alice", "whole a = a of alice")
		close(m.hold)
		time.Sleep(5 * time.Second)
		// What it used is not known; that it goes on is.
		w.want(w.sink, "start long = long of alice", "whole a = a of alice", "check long = long of alice")
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckpointsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := newMeasured(t)
		m.fail(errors.New("ring is closed"))
		m.set(10, cpu(1))
		w.start()
		w.run(10, "long", 0)
		time.Sleep(70 * time.Minute)
		if n := len(w.told(procmon.Checkpoint)); n != 0 || m.count() < 5 || m.count() > 15 {
			t.Errorf("%d told, asked %d times; want none, about once a minute", n, m.count())
		}
		m.fail(nil)
		time.Sleep(2 * time.Minute)
		if n := len(w.told(procmon.Checkpoint)); n != 1 {
			t.Errorf("%d told, want 1", n)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckpointsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs = 2*maxChecks + maxChecks/2
		w, m := newMeasured(t)
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
		time.Sleep(time.Hour)
		most, before := 0, 0
		for range 120 {
			time.Sleep(time.Second)
			synctest.Wait()
			n := len(w.told(procmon.Checkpoint))
			most, before = max(most, n-before), n
		}
		if before != runs || most > maxChecks || m.count() != runs {
			t.Errorf("%d checkpoints of %d, up to %d in a second, %d measured", before, runs, most, m.count())
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// Over a restart, and when the node goes down, what a checkpoint told counts.
func TestCheckpointsOutliveTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		first, m := newMeasured(t)
		first.cfg.Store = store
		first.start()
		began := time.Now()
		first.run(10, "long", 0)
		m.set(10, cpu(500))
		time.Sleep(62 * time.Minute)
		if err := first.end(); err != nil {
			t.Fatal(err)
		}
		if n := len(first.told(procmon.Checkpoint)); n != 1 || len(store.saved) != 1 || store.saved[0].Run.Usage.CPU() != 500*time.Millisecond {
			t.Fatalf("%d told, saved %+v", n, store.saved)
		}
		alive := *store.saved[0].Run.Process
		alive.Run.Exec = 0
		again := func(mine, others []procmon.LiveRun, found ...*procmon.Process) *world {
			w, _ := newMeasured(t)
			w.source.clock, w.cfg.Clock = first.source.clock, first.cfg.Clock
			// What was seen surely is older than the checkpoint, after a kill.
			w.cfg.Store = &fakeStore{mine: mine, others: others, seen: began.Add(time.Minute)}
			w.cfg.Census = &fakeCensus{found: found}
			w.start()
			return w
		}
		check := func(what string, w *world) {
			t.Helper()
			w.flush()
			if end := w.told(procmon.End); len(end) != 1 || end[0].Run.Usage.CPU() != 500*time.Millisecond {
				t.Errorf("%s: end %+v, want 500 ms", what, end)
			} else if elapsed := end[0].Run.Elapsed(); elapsed < time.Hour {
				t.Errorf("%s: it took %v, less than its checkpoint told", what, elapsed)
			}
			if err := w.end(); err != nil {
				t.Error(err)
			}
		}
		went := again(store.saved, nil, &alive)
		went.exit(10)
		check("restart", went)
		check("ended meanwhile", again(store.saved, nil))
		check("the node went down", again(nil, store.saved))
	})
}

func TestAtLeast(t *testing.T) {
	rnd := seed(t)
	usage := func() *procmon.Usage {
		return &procmon.Usage{User: time.Duration(rnd.IntN(10)), System: time.Duration(rnd.IntN(10)), MaxRSS: uint64(rnd.IntN(10)),
			Read: uint64(rnd.IntN(10)), Write: uint64(rnd.IntN(10))}
	}
	for range 10_000 {
		u, told := usage(), usage()
		got := atLeast(u, told)
		if got.User < told.User || got.System < told.System || got.CPU() != max(u.CPU(), told.CPU()) {
			t.Fatalf("CPU of %+v, told %+v: %+v", u, told, got)
		}
		if got.MaxRSS != max(u.MaxRSS, told.MaxRSS) || got.Read != max(u.Read, told.Read) || got.Write != max(u.Write, told.Write) {
			t.Fatalf("%+v, told %+v: %+v", u, told, got)
		}
		if atLeast(u, nil) != u || atLeast(nil, told) != told || atLeast(nil, nil) != nil {
			t.Fatal("of one that is not known")
		}
	}
}

// Runs of a source that keeps books have no processes here.
func TestCheckpointsOfBookedRuns(t *testing.T) {
	l := NewLive(LiveConfig{Books: true})
	for i := range int32(3) {
		p := process(10+i, ms(0), ms(int(i)), 1000, "a")
		r := &run{Run: procmon.Run{Process: p}, startSent: i != 1}
		l.runs[p.Run] = r
		l.runs[procmon.RunID{Process: p.Run.Process}] = r // its books were begun anew: one run, two names
	}
	var pids []int32
	const hour = 3600e9
	for _, at := range []procmon.BootNS{ms(0) + hour/2, ms(2) + hour} {
		pids = nil
		for _, m := range l.due(at, hour, maxChecks) {
			pids = append(pids, m.live.Run.Process.Run.Process.PID)
		}
	}
	if diff := cmp.Diff([]int32{10, 12}, pids); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
}

// BenchmarkOverdue looks for runs that are due among 100,000 processes, as is
// done once a minute.
func BenchmarkOverdue(b *testing.B) {
	l := &Live{procs: map[int32]*proc{}}
	for i := range int32(100_000) {
		p := process(i, ms(int(i)), ms(int(i)), 1000, "a")
		r := &run{Run: procmon.Run{Process: p}, startSent: true}
		l.procs[i] = &proc{id: p.Run.Process, run: r}
	}
	for b.Loop() {
		l.due(ms(200_000), 3600e9, maxChecks)
	}
}
