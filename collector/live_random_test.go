package collector

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"procmon"
)

// seed gives a random test its seed: PROCMON_SEED if set, else the clock's.
func seed(t *testing.T) *rand.Rand {
	n := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("PROCMON_SEED"), 10, 64); err == nil {
		n = v
	}
	t.Logf("PROCMON_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 1))
}

// simulated is a process of a random history.
type simulated struct {
	pid  int32
	born procmon.BootNS
	cpu  int // milliseconds used so far
}

// history makes a random tree of processes that fork, exec and exit, as events
// on several CPUs, and counts what must come out.
type history struct {
	rnd     *rand.Rand
	readers int
	events  []procmon.Event
	now     procmon.BootNS
	alive   []*simulated
	next    int32
	runs    int
	cpu     int // milliseconds, of all processes
}

func (h *history) emit(e procmon.Event) {
	h.now += procmon.BootNS(h.rnd.IntN(1e6) + 1)
	e.Time, e.Reader = h.now, h.rnd.IntN(h.readers)
	h.events = append(h.events, e)
}

func (h *history) exec(p *simulated) {
	h.runs++
	image := process(p.pid, p.born, 0, 1000, "prog")
	image.Before = used(p.cpu)
	h.emit(procmon.Event{Kind: procmon.EventExec, Proc: image.Run.Process, Process: image})
	image.Run.Exec, image.Time = h.now, wall(h.now)
}

func (h *history) step(room bool) {
	if len(h.alive) == 0 || (room && h.rnd.IntN(3) == 0) {
		p := &simulated{pid: h.next, born: h.now}
		h.next++
		if len(h.alive) > 0 {
			parent := h.alive[h.rnd.IntN(len(h.alive))]
			h.emit(procmon.Event{Kind: procmon.EventFork, Parent: procmon.ProcessID{PID: parent.pid}, Proc: procmon.ProcessID{PID: p.pid, Start: h.now.Ticks()}})
			h.alive = append(h.alive, p)
			return
		}
		h.alive = append(h.alive, p)
		h.exec(p)
		return
	}
	i := h.rnd.IntN(len(h.alive))
	p := h.alive[i]
	spent := h.rnd.IntN(50)
	p.cpu += spent
	h.cpu += spent
	if room && h.rnd.IntN(2) == 0 {
		h.exec(p)
		return
	}
	h.emit(procmon.Event{Kind: procmon.EventExit, Proc: procmon.ProcessID{PID: p.pid}})
	h.emit(procmon.Event{Kind: procmon.EventFinal, Proc: procmon.ProcessID{PID: p.pid}, Used: used(p.cpu)})
	h.alive = append(h.alive[:i], h.alive[i+1:]...)
}

// TestLiveRandomHistories: whatever happens, on whatever CPUs, and however far
// the readers lag behind each other, every run is told once, ends once, and the
// CPU time of the runs is that of the processes.
func TestLiveRandomHistories(t *testing.T) {
	rnd := seed(t)
	for range 200 {
		h := &history{rnd: rnd, readers: 1 + rnd.IntN(4), now: storyBegin, next: 10}
		for range 1 + rnd.IntN(300) {
			h.step(true)
		}
		for len(h.alive) > 0 {
			h.step(false)
		}
		s := newStory(t, h.readers, true)
		began, ended, cpu := 0, map[procmon.RunID]bool{}, time.Duration(0)
		take := func() {
			for _, c := range s.live.Advance() {
				if !c.ended {
					began++
					continue
				}
				if id := c.run.Process.Run; ended[id] {
					t.Fatalf("run %+v ended twice", id)
				} else {
					ended[id] = true
				}
				if c.run.Usage != nil {
					cpu += c.run.Usage.CPU()
				}
				if c.run.Unknown {
					t.Fatalf("run %+v is unknown", c.run.Process.Run)
				}
			}
		}
		deliver(rnd, h, s.live, take)
		want := time.Duration(h.cpu) * time.Millisecond
		if began != h.runs || len(ended) != h.runs || cpu != want || s.live.Processes() != 0 || len(s.live.jobs) != 0 {
			t.Fatalf("%d runs: %d began, %d ended; CPU %v of %v; %d processes left", h.runs, began, len(ended), cpu, want, s.live.Processes())
		}
	}
}

// deliver hands events on reader by reader, each at its own pace, with marks.
func deliver(rnd *rand.Rand, h *history, l *Live, take func()) {
	queues := make([][]procmon.Event, h.readers)
	for _, e := range h.events {
		queues[e.Reader] = append(queues[e.Reader], e)
	}
	for left := len(h.events); left > 0; {
		r := rnd.IntN(h.readers)
		for n := rnd.IntN(20); n > 0 && len(queues[r]) > 0; n-- {
			e := queues[r][0]
			queues[r] = queues[r][1:]
			left--
			l.Apply(&e)
			l.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: r, Time: e.Time})
		}
		if len(queues[r]) == 0 {
			l.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: r, Time: h.now + 1})
		}
		take()
	}
	for r := range h.readers {
		l.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: r, Time: h.now + 1})
	}
	take()
}
