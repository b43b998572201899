package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"procmon/index"
	"procmon/internal/history"
)

const (
	paceRuns  = 5000 // a second
	paceBatch = 1000
	paceTime  = 8 * time.Second
)

// written is how writing at a pace went.
type written struct {
	runs  int
	took  time.Duration // inside of Write
	each  []time.Duration
	whole time.Duration
}

func (w *written) String() string {
	slices.Sort(w.each)
	return fmt.Sprintf("%.0f records/s, Write took %.1f µs a record, batches of %d %.1f ms (median) to %.1f ms",
		float64(w.runs)/w.whole.Seconds(), float64(w.took)/1e3/float64(w.runs), paceBatch, millis(w.each[len(w.each)/2]), millis(w.each[len(w.each)-1]))
}

// pace writes at a pace until a time is over.
func pace(ctx context.Context, w *index.Writer, g *history.Generator, perSecond int, until time.Duration) (*written, error) {
	s := &written{}
	begun := time.Now()
	for next := begun; time.Since(begun) < until; next = next.Add(time.Second * paceBatch / time.Duration(perSecond)) {
		records := g.Batch(paceBatch)
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		at := time.Now()
		if err := w.Write(ctx, records); err != nil {
			return nil, err
		}
		took := time.Since(at)
		s.took, s.runs, s.each = s.took+took, s.runs+len(records), append(s.each, took)
	}
	s.whole = time.Since(begun)
	return s, nil
}

// beside writes at a pace, alone and while reports are asked for one after the
// other, and alone again: the machine may have changed.
func beside(ctx context.Context, report, path string, m history.Mix, out io.Writer) error {
	next := m.Next(10 * paceRuns * int(paceTime/time.Second))
	w, err := index.Open(ctx, index.Options{Path: path, Host: "node001", Boot: "bench", Now: next.End})
	if err != nil {
		return err
	}
	defer w.Close()
	g := history.New(next)
	for _, reading := range []bool{false, true, false} {
		ctx, cancel := context.WithCancel(ctx)
		var reader sync.WaitGroup
		asked, failed := 0, error(nil)
		if reading {
			reader.Go(func() {
				for ctx.Err() == nil {
					args := []string{"--index", path, "--utc", "--by-application", "--since", m.Start.AddDate(0, 0, -30).Format(time.DateOnly), "--until", m.Start.Format(time.DateOnly)}
					if _, err := runOnce(ctx, report, args...); err != nil && ctx.Err() == nil {
						failed = err
						return
					}
					asked++
				}
			})
		}
		s, err := pace(ctx, w, g, paceRuns, paceTime)
		cancel()
		reader.Wait()
		if err != nil {
			return err
		}
		if failed != nil {
			return failed
		}
		fmt.Fprintf(out, "writing with %3d reports meanwhile: %s\n", asked, s)
	}
	return w.Close()
}

// prune takes a third of an index while it is written, and says how long a
// batch had to wait at most.
func prune(ctx context.Context, path string, size int64, m history.Mix, out io.Writer) error {
	next := m.Next(m.Runs)
	next.Jobs *= 2
	w, err := index.Open(ctx, index.Options{Path: path, Host: "node001", Boot: "bench", Now: m.End, MaxBytes: size * 2 / 3})
	if err != nil {
		return err
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var pruned error
	var took time.Duration
	var pruning sync.WaitGroup
	pruning.Go(func() {
		begun := time.Now()
		pruned = w.Prune(ctx)
		took = time.Since(begun)
		cancel()
	})
	g := history.New(next)
	s := &written{}
	for ctx.Err() == nil {
		one, err := pace(ctx, w, g, 1000, 2*time.Second)
		if err != nil {
			break
		}
		s.runs, s.took, s.whole, s.each = s.runs+one.runs, s.took+one.took, s.whole+one.whole, append(s.each, one.each...)
	}
	pruning.Wait()
	if pruned != nil {
		return pruned
	}
	fmt.Fprintf(out, "pruning a third of it took %.1f s", took.Seconds())
	if len(s.each) > 0 {
		fmt.Fprintf(out, "; meanwhile %s", s)
	}
	fmt.Fprintln(out)
	return w.Close()
}
