package bpf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"procmon"
)

// books is what a Source notes of the runs in the kernel's books.
type books struct {
	iterating sync.Mutex // two iterators at once could both give a process to its run
	mu        sync.Mutex
	pending   map[procmon.RunID]captureRunId // found ended at the start
	told      map[procmon.RunID]captureRunId // over, told, and not yet forgotten
	forgotten map[procmon.RunID]struct{}     // an earlier daemon recorded them: not to be told again
	gone      map[procmon.RunID]struct{}     // forgotten since a sweep began, which may have read them before; nil: there is none
}

func newBooks() books {
	return books{told: map[procmon.RunID]captureRunId{}, forgotten: map[procmon.RunID]struct{}{}}
}

// tell notes that a run is told to be over; false: it was told before.
func (b *books) tell(run procmon.RunID, id captureRunId) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.forgotten[run]; ok {
		delete(b.forgotten, run)
		return false
	}
	if _, ok := b.gone[run]; ok {
		return false
	}
	if _, ok := b.told[run]; ok {
		return false
	}
	b.told[run] = id
	return true
}

// sweep keeps the runs that are forgotten meanwhile from being told again.
func (b *books) sweep(goes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = nil
	if goes {
		b.gone = map[procmon.RunID]struct{}{}
	}
}

// knows says whether a run was told to be over, and not forgotten before the
// sweep that goes on.
func (b *books) knows(run procmon.RunID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, told := b.told[run]
	_, gone := b.gone[run]
	return told || gone
}

// Continues says whether the programs went on since an earlier daemon: then
// nothing that happened meanwhile is lost.
func (s *Source) Continues() bool { return s.progs.taken }

// Pending gives the runs that have ended and are still in the books: an earlier
// daemon may have recorded them, and been killed before it forgot them.
func (s *Source) Pending() ([]procmon.RunID, error) {
	var ids []procmon.RunID
	s.books.pending = map[procmon.RunID]captureRunId{}
	err := s.eachRun(func(id *captureRunId, r *captureRun) {
		if r.Alive == 0 || r.Flags&runOver != 0 {
			ids = append(ids, id.id())
			s.books.pending[id.id()] = *id
		}
	})
	return ids, err
}

// Recorded takes the runs of Pending that are recorded already; the others are
// told again. It is called before Run.
func (s *Source) Recorded(ids []procmon.RunID) {
	s.books.mu.Lock()
	for _, id := range ids {
		if raw, ok := s.books.pending[id]; ok {
			s.books.told[id] = raw
			s.books.forgotten[id] = struct{}{}
		}
	}
	s.books.pending = nil
	s.books.mu.Unlock()
	s.Forget(ids)
}

// Forget takes runs that are over and recorded from the books.
func (s *Source) Forget(ids []procmon.RunID) {
	keys := make([]captureRunId, 0, len(ids))
	s.books.mu.Lock()
	for _, id := range ids {
		if raw, ok := s.books.told[id]; ok {
			keys = append(keys, raw)
			delete(s.books.told, id)
			if s.books.gone != nil {
				s.books.gone[id] = struct{}{}
			}
		}
	}
	s.books.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	if _, err := s.progs.Runs.BatchDelete(keys, nil); err == nil {
		return
	}
	// A run without books ends a batch, and old kernels know no batches.
	for i := range keys {
		if err := s.progs.Runs.Delete(&keys[i]); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			s.cfg.Logger.Error("a run can't be taken from the kernel's books", "error", err)
			return
		}
	}
}

// eachRun goes through the books.
func (s *Source) eachRun(f func(*captureRunId, *captureRun)) error {
	const batch = 1024
	keys, values := make([]captureRunId, batch), make([]captureRun, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := s.progs.Runs.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("books: %w", err)
		}
		for i := range n {
			f(&keys[i], &values[i])
		}
		if err != nil { // that was the last batch
			return nil
		}
	}
}

// Runs gives the runs that are not over.
func (s *Source) Runs() (map[procmon.RunID]struct{}, error) {
	runs := map[procmon.RunID]struct{}{}
	err := s.eachRun(func(id *captureRunId, r *captureRun) {
		if r.Flags&runOver == 0 {
			runs[id.id()] = struct{}{}
		}
	})
	return runs, err
}

// Owners gives the run to which each process that is alive belongs. Those that
// were there before the programs are given to runs by that.
func (s *Source) Owners() (map[procmon.ProcessID]procmon.RunID, error) {
	owners := map[procmon.ProcessID]procmon.RunID{}
	err := s.eachProcess(func(l *captureLive) {
		owners[procmon.ProcessID{PID: int32(l.Pid), Start: procmon.BootNS(l.Start).Ticks()}] = l.Run.id()
	})
	return owners, err
}

// eachProcess goes through the processes that belong to runs.
func (s *Source) eachProcess(f func(*captureLive)) error {
	s.books.iterating.Lock()
	defer s.books.iterating.Unlock()
	each, err := link.AttachIter(link.IterOptions{Program: s.progs.each})
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	defer each.Close()
	r, err := each.Open()
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	for {
		l, rest, ok := take[captureLive](b)
		if !ok {
			return nil
		}
		b = rest
		f(&l)
	}
}

// Measure tells what live runs have used so far, in their order. A run that is
// over meanwhile has what it used last.
func (s *Source) Measure(_ context.Context, live []procmon.LiveRun) ([]procmon.Usage, error) {
	// The books first: what a process used that is freed meanwhile is then in
	// neither, and not in both. A run must not be told to have used too much.
	booked := map[procmon.RunID]procmon.Usage{}
	if err := s.eachRun(func(id *captureRunId, r *captureRun) { booked[id.id()] = r.Used.usage(r.Flags) }); err != nil {
		return nil, err
	}
	sums := map[procmon.RunID]procmon.Usage{}
	err := s.eachProcess(func(l *captureLive) {
		id := l.Run.id()
		u := sums[id]
		u.Add(l.Used.counters().Since(l.Since.counters()))
		sums[id] = u
	})
	if err != nil {
		return nil, err
	}
	used := make([]procmon.Usage, len(live))
	for i := range live {
		id := live[i].Run.Process.Run
		if _, ok := booked[id]; !ok {
			id.Exec = 0 // the books were begun anew while it went on
		}
		used[i] = booked[id]
		used[i].Add(sums[id])
	}
	return used, nil
}

// unfreedRun is a run whose processes have exited, as it stands.
type unfreedRun struct {
	id     captureRunId
	over   captureOver
	known  *procmon.Process
	reaped bool // all its processes: it will be freed soon
}

// unfreed adds up, of those runs that are not over, what their processes used.
// The threads of one that waits to be reaped are all added up by now.
func (s *Source) unfreed(ids []captureRunId) (all []unfreedRun, err error) {
	used, seen := map[captureRunId]captureCounters{}, map[captureRunId]uint32{}
	err = s.eachProcess(func(l *captureLive) {
		u := used[l.Run]
		u.add(&l.Used, &l.Since)
		used[l.Run] = u
		seen[l.Run]++
	})
	for i := range ids {
		var r captureRun
		if err := s.progs.Runs.Lookup(&ids[i], &r); err != nil || r.Flags&runOver != 0 || r.Alive != 0 {
			continue // over by now
		}
		x := unfreedRun{id: ids[i], over: r.over(), known: s.known(&ids[i], &r), reaped: seen[ids[i]] == 0}
		u := used[ids[i]]
		if seen[ids[i]] < r.Unfreed {
			u = r.Pending
		}
		x.over.Used.add(&u, &captureCounters{})
		all = append(all, x)
	}
	return all, err
}

// add adds what was used between two readings.
func (c *captureCounters) add(now, since *captureCounters) {
	c.Cpu += now.Cpu - min(now.Cpu, since.Cpu)
	c.User += now.User - min(now.User, since.User)
	c.System += now.System - min(now.System, since.System)
	c.Read += now.Read - min(now.Read, since.Read)
	c.Write += now.Write - min(now.Write, since.Write)
	c.Rss = max(c.Rss, now.Rss)
}
