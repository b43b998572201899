package collector

import (
	"math/rand/v2"
	"testing"
	"time"

	"procmon"
)

// kernel keeps books as a source's programs do, over a ring that may be full,
// for collectors that are killed and begun again.
type kernel struct {
	rnd   *rand.Rand
	now   procmon.BootNS
	next  int32
	alive []*member

	books map[procmon.RunID]*account
	ring  []procmon.Event
	room  int // of the ring, events

	started map[procmon.RunID]bool
	spent   map[procmon.RunID]time.Duration
}

type member struct {
	pid  int32
	born procmon.BootNS
	run  procmon.RunID
	used time.Duration
	from time.Duration // when the run got it
}

type account struct {
	uid          uint32
	unfreed      int
	used         time.Duration
	over, untold bool
	waited       bool
	last         procmon.BootNS
	told         bool // to the watcher that works now
}

func newKernel(rnd *rand.Rand) *kernel {
	return &kernel{
		rnd: rnd, now: storyBegin, next: 100, room: 1 << 30, books: map[procmon.RunID]*account{},
		started: map[procmon.RunID]bool{}, spent: map[procmon.RunID]time.Duration{},
	}
}

func (k *kernel) tick() { k.now += procmon.BootNS(1e6 + k.rnd.IntN(1e6)) }

func (k *kernel) tell(e procmon.Event) bool {
	if len(k.ring) >= k.room {
		return false
	}
	k.ring = append(k.ring, e)
	return true
}

func (k *kernel) over(id procmon.RunID, a *account, known bool) procmon.Event {
	e := procmon.Event{Kind: procmon.EventOver, Time: k.now, Run: id, Over: &procmon.Over{
		Usage: procmon.Usage{User: a.used}, Ended: a.last, Waited: a.waited, Untold: a.untold, CPU: -1,
	}}
	if known {
		e.Over.Process = &procmon.Process{Run: id, UID: a.uid, Time: wall(id.Exec), Missing: procmon.MissingAll}
	}
	return e
}

// leave takes a process from its run.
func (k *kernel) leave(m *member, exit bool) {
	a := k.books[m.run]
	a.used += m.used - m.from
	k.spent[m.run] += m.used - m.from
	a.unfreed--
	a.last = k.now
	a.waited = a.waited || exit && m.run.Process.PID == m.pid
	if a.unfreed == 0 {
		a.over = true
		k.tell(k.over(m.run, a, false))
	}
}

func (k *kernel) exec(m *member) {
	k.tick()
	owner := m.run
	if owner != (procmon.RunID{}) {
		k.leave(m, false)
	}
	uid := uint32(1000)
	if k.rnd.IntN(8) == 0 {
		uid = 0 // not recorded by stories
	}
	p := process(m.pid, m.born, k.now, uid, "prog")
	p.Owner = owner
	m.run, m.from = p.Run, m.used
	a := &account{uid: uid, unfreed: 1}
	k.books[p.Run] = a
	if uid != 0 {
		k.started[p.Run] = true
	}
	a.untold = !k.tell(procmon.Event{Kind: procmon.EventExec, Time: k.now, Proc: p.Run.Process, Process: p})
}

func (k *kernel) step(grow bool) {
	k.tick()
	if grow && (len(k.alive) == 0 || k.rnd.IntN(3) == 0) {
		m := &member{pid: k.next, born: k.now}
		k.next++
		if len(k.alive) > 0 && k.rnd.IntN(4) > 0 {
			m.run = k.alive[k.rnd.IntN(len(k.alive))].run
			k.books[m.run].unfreed++
		} else {
			k.exec(m)
		}
		k.alive = append(k.alive, m)
		return
	}
	if len(k.alive) == 0 {
		return
	}
	i := k.rnd.IntN(len(k.alive))
	m := k.alive[i]
	m.used += time.Duration(k.rnd.IntN(50)) * time.Millisecond
	if grow && k.rnd.IntN(2) == 0 {
		k.exec(m)
		return
	}
	k.leave(m, true)
	k.alive = append(k.alive[:i], k.alive[i+1:]...)
}

// watcher is a collector and its store: what it recorded outlives it.
type watcher struct {
	t        *testing.T
	k        *kernel
	live     *Live
	saved    []procmon.LiveRun
	unsaved  []Change // ended, and not written yet
	recorded map[procmon.RunID]time.Duration
	lost     map[procmon.RunID]bool
}

func (w *watcher) begin() {
	s := newStory(w.t, 1, false)
	cfg := s.live.cfg
	cfg.Books = true
	w.live = NewLive(cfg)
	w.live.Restore(w.saved, w.k.now)
	w.unsaved = nil
	backlog := w.k.ring
	w.k.ring = nil
	for i := range backlog { // its ends are in the books, which know more
		if backlog[i].Kind == procmon.EventExec {
			w.live.Apply(&backlog[i])
		}
	}
	w.sweep()
	w.census()
}

// sweep tells what the ring had no room for, or an earlier watcher lost.
func (w *watcher) sweep() {
	for id, a := range w.k.books {
		if _, has := w.recorded[id]; a.over && !a.told && !has {
			a.told = true
			e := w.k.over(id, a, true)
			w.live.Apply(&e)
		}
	}
}

func (w *watcher) census() {
	w.live.BeginCensus(w.k.now)
	for _, m := range w.k.alive {
		p := process(m.pid, m.born, 0, w.k.books[m.run].uid, "prog")
		p.Owner = m.run
		w.live.Apply(&procmon.Event{Kind: procmon.EventFound, Reader: w.live.CensusReader(), Time: w.k.now, Process: p})
	}
	e := procmon.Event{Kind: procmon.EventCensus, Reader: w.live.CensusReader(), Time: w.k.now, Asked: w.k.now, Books: map[procmon.RunID]struct{}{}}
	for id, a := range w.k.books {
		if !a.over {
			e.Books[id] = struct{}{}
		}
	}
	w.live.Apply(&e)
	w.live.EndCensus()
	w.turn()
}

// turn reads the ring and applies everything.
func (w *watcher) turn() {
	for i := range w.k.ring {
		e := &w.k.ring[i]
		if e.Kind == procmon.EventOver {
			w.k.books[e.Run].told = true
		}
		w.live.Apply(e)
	}
	w.k.ring = nil
	w.live.Apply(&procmon.Event{Kind: procmon.EventMark, Time: w.k.now + 1})
	for _, c := range w.live.Advance() {
		if c.ended {
			w.unsaved = append(w.unsaved, c)
		}
	}
	for _, u := range w.live.Untold() {
		for id := range w.k.books {
			if id.Exec == u.At {
				if w.k.books[id].uid != 0 {
					w.lost[id] = true
				}
				delete(w.k.books, id)
			}
		}
	}
	for _, id := range w.live.Settled() {
		delete(w.k.books, id)
	}
}

// write is what the sinks do: records last, and the books may forget them.
func (w *watcher) write() {
	for _, c := range w.unsaved {
		id := c.run.Process.Run
		if _, twice := w.recorded[id]; twice {
			w.t.Fatalf("run %+v is recorded twice", id)
		}
		if c.run.Unknown {
			w.t.Fatalf("the end of run %+v is not known", id)
		}
		w.recorded[id] = c.run.Usage.CPU()
		delete(w.k.books, id)
	}
	w.unsaved = nil
	w.saved = w.live.Snapshot()
}

// TestBooksBalance: whatever the ring has room for, and whenever the collector
// is killed, every run is recorded once or counted as lost, and what is recorded
// has used what its processes used.
func TestBooksBalance(t *testing.T) {
	rnd := seed(t)
	for range 300 {
		k := newKernel(rnd)
		w := &watcher{t: t, k: k, recorded: map[procmon.RunID]time.Duration{}, lost: map[procmon.RunID]bool{}}
		w.begin()
		for range rnd.IntN(400) {
			switch n := rnd.IntN(40); {
			case n < 4:
				w.turn()
			case n < 6:
				w.turn()
				w.write()
			case n == 6: // killed: what it had not written is gone
				for _, a := range k.books {
					a.told = false
				}
				w.begin()
			case n == 7:
				k.room = len(k.ring) + rnd.IntN(5)
			case n == 8:
				k.room = 1 << 30
				w.turn()
				w.sweep()
				w.census()
			default:
				k.step(true)
			}
		}
		k.room = 1 << 30
		for len(k.alive) > 0 {
			k.step(false)
		}
		w.turn()
		w.sweep()
		w.census()
		w.write()
		w.balance()
	}
}

func (w *watcher) balance() {
	w.t.Helper()
	for id := range w.k.started {
		used, recorded := w.recorded[id]
		switch {
		case recorded == w.lost[id]:
			w.t.Fatalf("run %+v: recorded %v, lost %v", id, recorded, w.lost[id])
		case recorded && used != w.k.spent[id]:
			w.t.Fatalf("run %+v used %v, recorded %v", id, w.k.spent[id], used)
		}
	}
	if n := len(w.recorded) + len(w.lost); n != len(w.k.started) {
		w.t.Fatalf("%d started, %d recorded, %d lost", len(w.k.started), len(w.recorded), len(w.lost))
	}
	if len(w.k.books) != 0 || w.live.Processes() != 0 || len(w.live.closed) != 0 || len(w.live.jobs) != 0 {
		w.t.Fatalf("left: %d in the books, %d runs, %d closed, %d jobs", len(w.k.books), w.live.Processes(), len(w.live.closed), len(w.live.jobs))
	}
}
