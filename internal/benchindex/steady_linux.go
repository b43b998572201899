package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"procmon/index"
	"procmon/internal/history"
)

// steadyBatch is how many records the daemon gets in a second at 1,000 runs/s.
const (
	steadyBatch = 1000
	steadyRuns  = 100_000
)

// steady says what a run costs the daemon's writer, which writes once a second.
func steady(ctx context.Context, path string, m history.Mix, out io.Writer) error {
	next := m.Next(steadyRuns)
	w, err := index.Open(ctx, index.Options{Path: path, Host: "node001", Boot: "bench", Now: next.End})
	if err != nil {
		return err
	}
	defer w.Close()
	var took []time.Duration
	var spent time.Duration
	g := history.New(next)
	for records := g.Batch(steadyBatch); len(records) > 0; records = g.Batch(steadyBatch) {
		at, before := time.Now(), cpuTime()
		if err := w.Write(ctx, records); err != nil {
			return err
		}
		spent += cpuTime() - before
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	fmt.Fprintf(out, "steady: %.1f µs of CPU a run in batches of %d records, which take %.1f ms (median) to %.1f ms\n",
		float64(spent)/steadyRuns/1e3, steadyBatch, millis(took[len(took)/2]), millis(took[len(took)-1]))
	return w.Close()
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }
