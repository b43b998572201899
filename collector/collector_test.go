package collector

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// fakeSource hands on what the test gives it, with marks as time goes.
type fakeSource struct {
	clock  fakeClock
	lag    time.Duration // how far its marks are behind
	events chan procmon.Event
	fail   chan error
}

func (s *fakeSource) Readers() int { return 1 }
func (s *fakeSource) Finals() bool { return true }

func (s *fakeSource) Run(ctx context.Context, emit func(*procmon.Event)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.fail:
			return err
		case e := <-s.events:
			emit(&e)
		case <-tick.C:
			emit(&procmon.Event{Kind: procmon.EventMark, Time: s.clock.Now() - procmon.BootNS(s.lag)})
		}
	}
}

// fakeClock makes boot time of the bubble's clock.
type fakeClock struct{ boot time.Time }

func (c fakeClock) Now() procmon.BootNS { return procmon.BootNS(time.Since(c.boot)) }
func (c fakeClock) Wall(b procmon.BootNS) time.Time {
	return c.boot.Add(time.Duration(b)).Round(0)
}

type fakeCensus struct{ found []*procmon.Process }

func (c *fakeCensus) Alive(procmon.ProcessID) bool { return false }
func (c *fakeCensus) Scan(_ context.Context, found func(procmon.BootNS, *procmon.Process)) error {
	for _, p := range c.found {
		found(p.Run.Process.Start.BootNS()+1, p)
	}
	return nil
}

// fakeUsers calls every user alice.
type fakeUsers struct{}

func (fakeUsers) Known(uint32) (string, bool) { return "alice", true }
func (fakeUsers) Name(uint32) string          { return "alice" }

type fakeJobs struct{}

func (fakeJobs) Job(p *procmon.Process, parent procmon.Job) procmon.Job {
	if id, ok := p.Getenv("JOB"); ok {
		return procmon.Job{RawID: id}
	}
	return parent
}

// fakeApps names a process after its exe; "hang" hangs until the test ends.
type fakeApps struct{ hang chan struct{} }

func (a *fakeApps) Known(*procmon.Process) (procmon.Application, bool) {
	return procmon.Application{}, false
}

func (a *fakeApps) Identify(_ context.Context, p *procmon.Process) procmon.Application {
	if p.Exe == "hang" {
		<-a.hang
	}
	return procmon.Application{Name: p.Exe, Kind: procmon.KindApplication}
}

// fakeSink keeps what it is given, unless err says otherwise.
type fakeSink struct {
	mu      sync.Mutex
	records []procmon.Record
	err     error
	full    bool // everything is lost
	writes  int
	closed  bool
}

func (s *fakeSink) Write(_ context.Context, batch []procmon.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		return s.err
	}
	if s.full {
		lost := &procmon.LostError{Loss: procmon.Loss{Reason: procmon.LossSink, Where: "slow", From: batch[0].Time, To: batch[0].Time}, Err: errors.New("spool full")}
		for _, r := range batch {
			if r.Loss != nil {
				lost.Losses = append(lost.Losses, r)
			} else {
				lost.Loss.Count++
			}
		}
		return lost
	}
	s.records = append(s.records, batch...)
	return nil
}

func (s *fakeSink) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func (s *fakeSink) Close() error { s.closed = true; return nil }

func (s *fakeSink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// lines tells what the sink was given, without status records.
func (s *fakeSink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	phases := map[procmon.Phase]string{procmon.Whole: "whole", procmon.Start: "start", procmon.Checkpoint: "check", procmon.End: "end"}
	var out []string
	for _, r := range s.records {
		switch {
		case r.Run != nil:
			out = append(out, phases[r.Phase]+" "+r.Run.Process.Exe+" = "+r.Run.Application.Name+" of "+r.Run.UserName)
		case r.Loss != nil:
			out = append(out, "loss "+r.Loss.Where+": "+r.Loss.Reason)
		case r.Summary != nil:
			out = append(out, "job "+r.Summary.Job.RawID)
		}
	}
	return out
}

// world is a collector over fakes, in a synctest bubble.
type world struct {
	t      *testing.T
	source *fakeSource
	sink   *fakeSink
	slow   *fakeSink
	apps   *fakeApps
	cfg    Config
	c      *Collector
	stop   context.CancelFunc
	done   chan error
}

func newWorld(t *testing.T) *world {
	clock := fakeClock{time.Now().Add(-time.Hour)}
	w := &world{
		t: t, source: &fakeSource{clock: clock, events: make(chan procmon.Event), fail: make(chan error)},
		sink: &fakeSink{}, slow: &fakeSink{}, apps: &fakeApps{hang: make(chan struct{})}, done: make(chan error, 1),
	}
	w.cfg = Config{
		Host: "n1", Boot: "b", Capture: "fake", Source: w.source, Census: &fakeCensus{}, Clock: clock,
		Jobs: fakeJobs{}, Identifier: w.apps, Users: fakeUsers{},
		Sinks:  []SinkConfig{{Name: "good", Sink: w.sink, Bytes: 1 << 20}, {Name: "slow", Sink: w.slow, Bytes: 20000}},
		Record: func(p *procmon.Process, _ *procmon.Job) bool { return p.UID != 0 },
		Person: func(uid uint32) bool { return uid >= 1000 }, StartAfter: 10 * time.Second, QueueBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) start() {
	w.c = New(w.cfg)
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.done <- w.c.Run(ctx, time.Second) }()
	synctest.Wait()
}

func (w *world) end() error {
	close(w.apps.hang)
	w.stop()
	return <-w.done
}

// run lets a process exec now and, if it has a length, exit after it.
func (w *world) run(pid int32, exe string, length time.Duration, env ...string) {
	now := w.source.clock.Now()
	p := process(pid, now, now, 1000, exe, env...)
	p.Time = w.source.clock.Wall(now)
	w.source.events <- procmon.Event{Kind: procmon.EventExec, Time: now, Proc: p.Run.Process, Process: p}
	if length > 0 {
		time.Sleep(length)
		w.exit(pid)
	}
}

func (w *world) exit(pid int32) {
	now := w.source.clock.Now()
	w.source.events <- procmon.Event{Kind: procmon.EventExit, Time: now, Proc: procmon.ProcessID{PID: pid}}
	w.source.events <- procmon.Event{Kind: procmon.EventFinal, Time: now, Proc: procmon.ProcessID{PID: pid}, Used: used(1)}
}

func (w *world) flush() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.c.Flush(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *world) want(s *fakeSink, lines ...string) {
	w.t.Helper()
	if diff := cmp.Diff(lines, s.lines()); diff != "" {
		w.t.Errorf("records (-want +got):\n%s", diff)
	}
}

// quietSource marks only when it is asked.
type quietSource struct {
	*fakeSource
	asked chan struct{}
}

func (s *quietSource) Hurry() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

func (s *quietSource) Run(ctx context.Context, emit func(*procmon.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-s.events:
			emit(&e)
		case <-s.asked:
			emit(&procmon.Event{Kind: procmon.EventMark, Time: s.clock.Now()})
		}
	}
}

// A flush asks a source that is quiet.
func TestCollectorFlushesQuietSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.Source = &quietSource{w.source, make(chan struct{}, 1)}
		w.start()
		w.run(10, "short", time.Millisecond)
		w.flush()
		w.want(w.sink, "whole short = short of alice")
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorRecordsAndFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.run(10, "short", time.Millisecond)
		w.run(11, "long", 0)
		w.flush()
		w.want(w.sink, "whole short = short of alice")
		time.Sleep(12 * time.Second)
		w.exit(11)
		w.flush()
		w.want(w.sink, "whole short = short of alice", "start long = long of alice", "end long = long of alice")
		w.want(w.slow, w.sink.lines()...)
		if err := w.end(); err != nil || !w.sink.closed || !w.slow.closed {
			t.Errorf("end: %v, sinks closed: %v, %v", err, w.sink.closed, w.slow.closed)
		}
	})
}

func TestCollectorSlowSinkDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slow.fail(errors.New("disk full"))
		w.start()
		const runs = 50 // more than fit in the slow sink's queue
		for i := range runs {
			w.run(int32(100+i), "a", time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		good := w.sink.lines()
		if n := len(good); n < runs {
			t.Errorf("the good sink has %d records of %d", n, runs)
		}
		w.slow.fail(nil)
		time.Sleep(30 * time.Second)
		w.flush()
		got, lost := 0, uint64(0)
		for _, r := range w.slow.records {
			if r.Run != nil {
				got++
			}
		}
		for _, r := range w.sink.records {
			if r.Loss != nil && r.Loss.Where == "slow" && r.Loss.Reason == procmon.LossQueue {
				lost += r.Loss.Count
			}
		}
		if lost == 0 || got == 0 || uint64(got)+lost < runs {
			t.Errorf("the slow sink has %d runs, and %d were counted as lost to it: want %d together", got, lost, runs)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorCountsWhatASinkLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.flush()
		w.slow.fail(&procmon.LostError{Loss: procmon.Loss{Count: 1, Reason: procmon.LossSink, Where: "slow"}, Err: errors.New("spool full")})
		w.run(10, "a", time.Millisecond)
		w.flush()
		w.slow.fail(nil)
		time.Sleep(3 * time.Second)
		w.flush()
		w.want(w.sink, "whole a = a of alice", "loss slow: sink full")
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// A loss that a sink has no room for is told to it later, with all that it
// counts: else the sink's books would not balance.
func TestCollectorTellsALostLossLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.flush()
		w.slow.setFull(true)
		for i := range 3 {
			w.run(int32(10+i), "a", time.Millisecond)
			w.flush()
			time.Sleep(3 * time.Second)
		}
		w.slow.setFull(false)
		w.run(20, "b", time.Millisecond)
		w.flush()
		w.want(w.slow, "loss slow: sink full", "whole b = b of alice")
		for _, r := range w.slow.records {
			if r.Loss != nil && r.Loss.Count != 3 {
				t.Errorf("the loss counts %d, want 3", r.Loss.Count)
			}
		}
		seen := uint64(0)
		for _, r := range w.sink.records {
			if r.Loss != nil {
				seen += r.Loss.Count
			}
		}
		if seen != 3 {
			t.Errorf("the other sink was told of %d, want 3", seen)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorHangingLookUpHoldsUpForTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.run(9, "hang", time.Millisecond)
		w.run(20, "a", time.Millisecond)
		time.Sleep(time.Second)
		w.want(w.sink)
		time.Sleep(2 * time.Second)
		w.want(w.sink, "whole hang =  of ", "whole a = a of alice")
		for i := range 10 { // more than there are workers
			w.run(int32(30+i), "hang", time.Millisecond)
			time.Sleep(time.Second)
		}
		time.Sleep(4 * time.Second)
		w.run(50, "b", time.Millisecond)
		w.flush()
		if got := w.sink.lines(); got[len(got)-1] != "whole b = b of alice" {
			t.Errorf("after hung look-ups: %v", got)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorEndsWithItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		broken := errors.New("socket closed")
		w.source.fail <- broken
		if err := <-w.done; !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
		w.stop()
	})
}

func TestCollectorFlushGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slow.fail(errors.New("disk full"))
		w.start()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.c.Flush(ctx); !errors.Is(err, ErrNotFlushed) {
			t.Errorf("got %v, want %v", err, ErrNotFlushed)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}
