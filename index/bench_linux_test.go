package index

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkWrite tells what a run costs to record: CPU time of the whole
// process, cgo included, and room on disk, at 15 % new command lines of 65
// bytes or so. Run it with -benchtime 500000x.
func BenchmarkWrite(b *testing.B) {
	w := mustOpen(b, testOptions(b))
	h := newHistory(rand.New(rand.NewPCG(1, 2)), 0.15)
	var spent time.Duration
	for n := 0; n < b.N; n += 1000 {
		b.StopTimer()
		batch := h.batch(min(1000, b.N-n))
		b.StartTimer()
		before := cpuTime(b)
		if err := w.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		spent += cpuTime(b) - before
	}
	b.StopTimer()
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(w.opts.Path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/run")
	b.ReportMetric(float64(st.Size())/float64(b.N), "MB/million")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead asks what reports ask, of 200,000 runs.
func BenchmarkRead(b *testing.B) {
	w := mustOpen(b, testOptions(b))
	h := newHistory(rand.New(rand.NewPCG(1, 2)), 0.15)
	for range 200 {
		if err := w.Write(context.Background(), h.batch(1000)); err != nil {
			b.Fatal(err)
		}
	}
	r := mustRead(b, w)
	for name, query := range map[string]string{
		"job":       "SELECT * FROM runs WHERE raw_job_id = '102000'",
		"job-usage": "SELECT * FROM usage WHERE raw_job_id = '102000'",
		"by-app":    "SELECT application, version, sum(runs), sum(cpu_seconds), count(DISTINCT raw_job_id), count(DISTINCT uid) FROM usage GROUP BY 1, 2",
		"history":   "SELECT application, version, sum(runs), sum(cpu_seconds), count(DISTINCT uid) FROM history GROUP BY 1, 2",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if len(dump(b, r, query)) == 0 {
					b.Fatal("no rows")
				}
			}
		})
	}
}
