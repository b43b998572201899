package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/index"
	"procmon/internal/history"
)

// bulkBatch is how many records one transaction of a bulk load has.
const bulkBatch = 20_000

// batch is what a generator made at once.
type batch struct {
	records   []procmon.Record
	accounted []procmon.Accounted
}

// batches makes a history ahead of who writes it, and closes the channel after
// the last batch.
func batches(ctx context.Context, m history.Mix, size int) <-chan batch {
	to := make(chan batch, 2)
	go func() {
		defer close(to)
		for g := history.New(m); ; {
			b := batch{records: g.Batch(size)}
			b.accounted = g.Accounted()
			if len(b.records) == 0 {
				return
			}
			select {
			case to <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}

// load makes an index of a history and says what that cost.
func load(ctx context.Context, path string, m history.Mix, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := index.Open(ctx, index.Options{Path: path, Host: "node001", Boot: "bench", Now: m.End, Bulk: true})
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(out, "mix %q, seed %d: %d runs of %d users on %d hosts from %s to %s\n", history.MixName, m.Seed, m.Runs, m.Users, m.Hosts,
		m.Start.Format(time.DateOnly), m.End().Format(time.DateOnly))
	begun, before := time.Now(), cpuTime()
	var writing time.Duration
	records, jobs := 0, 0
	for b := range batches(ctx, m, bulkBatch) {
		at := time.Now()
		if err := w.Write(ctx, b.records); err != nil {
			return err
		}
		writing += time.Since(at)
		records += len(b.records)
		jobs += len(b.accounted)
	}
	if err := w.Close(); err != nil {
		return err
	}
	took, spent := time.Since(begun), cpuTime()-before
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	perRun := func(d time.Duration) float64 { return float64(d) / float64(m.Runs) / 1e3 }
	fmt.Fprintf(out, "bulk load: %.0f runs/s (%d records, %d jobs, %.1f s, of which %.1f s writing), %.1f µs of CPU a run with making them up\n",
		float64(m.Runs)/took.Seconds(), records, jobs, took.Seconds(), writing.Seconds(), perRun(spent))
	fmt.Fprintf(out, "size: %.1f MB a million runs\n", float64(st.Size())/float64(m.Runs))
	return ctx.Err()
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
