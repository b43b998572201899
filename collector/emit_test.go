package collector

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"procmon"
)

// fakeBooks is a source that keeps the books of as many runs as the test wants,
// each of which it tells from beginning to end.
type fakeBooks struct {
	*fakeSource
	runs   int
	full   atomic.Bool // there is no room for more before what was not handed on
	handed atomic.Int32
	forgot atomic.Int32
}

func (s *fakeBooks) Finals() bool                                         { return false }
func (s *fakeBooks) Continues() bool                                      { return false }
func (s *fakeBooks) CanWait() bool                                        { return !s.full.Load() }
func (s *fakeBooks) Pending() ([]procmon.RunID, error)                    { return nil, nil }
func (s *fakeBooks) Recorded([]procmon.RunID)                             {}
func (s *fakeBooks) Forget(ids []procmon.RunID)                           { s.forgot.Add(int32(len(ids))) }
func (s *fakeBooks) Runs() (map[procmon.RunID]struct{}, error)            { return nil, nil }
func (s *fakeBooks) Owners() (map[procmon.ProcessID]procmon.RunID, error) { return nil, nil }

func (s *fakeBooks) Run(ctx context.Context, emit func(*procmon.Event)) error {
	for i := range s.runs {
		now := s.clock.Now()
		p := process(int32(i+2), now, now, 1000, "a")
		p.Time = s.clock.Wall(now)
		emit(&procmon.Event{Kind: procmon.EventExec, Time: now, Process: p})
		emit(&procmon.Event{Kind: procmon.EventOver, Time: now, Run: p.Run, Over: &procmon.Over{Ended: now}})
		time.Sleep(time.Millisecond)
		emit(&procmon.Event{Kind: procmon.EventMark, Time: s.clock.Now()})
		s.handed.Add(1)
	}
	return s.fakeSource.Run(ctx, emit)
}

// hangingSink hangs in Write until it is let go.
type hangingSink struct {
	fakeSink
	free chan struct{}
}

func (s *hangingSink) Write(ctx context.Context, batch []procmon.Record) error {
	<-s.free
	return s.fakeSink.Write(ctx, batch)
}

// TestSourceOfBooksWaits: what keeps its events safe is made to wait for a slow
// sink, but not for one that fails, nor for one that hangs for long, and not
// when it has no room itself.
func TestSourceOfBooksWaits(t *testing.T) {
	const runs = 500
	for _, tt := range []struct {
		name  string
		sink  error         // what the slow sink says
		hangs time.Duration // how long its first write takes
		full  bool          // the source
		early int           // runs that are handed on within a second, at least
		most  int           // likewise, at most
		lost  bool          // to the slow sink
	}{
		{name: "all is well", early: 500, most: 500},
		{name: "a sink hangs shortly", hangs: 3 * time.Second, early: 1, most: 20},
		{name: "a sink hangs", hangs: time.Minute, early: 1, most: 20, lost: true},
		{name: "a sink fails", sink: errors.New("disk full"), early: 500, most: 500, lost: true},
		{name: "a sink hangs and the source is full", hangs: 3 * time.Second, full: true, early: 500, most: 500, lost: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				books := &fakeBooks{fakeSource: w.source, runs: runs}
				books.full.Store(tt.full)
				slow := &hangingSink{free: make(chan struct{})}
				slow.fail(tt.sink)
				w.cfg.Source, w.cfg.Sinks[1].Sink = books, slow
				w.start()
				time.AfterFunc(tt.hangs, func() { close(slow.free) })
				time.Sleep(time.Second)
				if n := int(books.handed.Load()); n < tt.early || n > tt.most {
					t.Errorf("%d runs handed on within a second, want %d to %d", n, tt.early, tt.most)
				}
				time.Sleep(2 * time.Minute)
				slow.fail(nil)
				w.flush()
				count := func(lines []string) (n int, lost bool) {
					for _, l := range lines {
						if l == "whole a = a of alice" {
							n++
						}
						lost = lost || l == "loss slow: queue full"
					}
					return n, lost
				}
				n, lost := count(w.sink.lines())
				if n != runs || lost != tt.lost {
					t.Errorf("the good sink has %d runs of %d, told of a loss: %v, want %v", n, runs, lost, tt.lost)
				}
				if n, _ := count(slow.lines()); (n < runs) != tt.lost {
					t.Errorf("the slow sink has %d runs of %d, want a loss: %v", n, runs, tt.lost)
				}
				if err := w.end(); err != nil {
					t.Error(err)
				}
				if n := int(books.forgot.Load()); n != runs {
					t.Errorf("the source was told to forget %d runs of %d", n, runs)
				}
			})
		})
	}
}
