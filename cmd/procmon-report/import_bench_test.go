package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"procmon"
	"procmon/collector/syslog"
	"procmon/report/reporttest"
)

// BenchmarkImport imports lines of single runs, as they come from a cluster of
// 50 nodes: jobs of some dozen runs, 15 % of them with a command line of their own. Run it
// with -benchtime 500000x; the first call, of one run, tells nothing.
func BenchmarkImport(b *testing.B) {
	dir := b.TempDir()
	lines := filepath.Join(dir, "runs.log")
	sink, err := syslog.Open(b.Context(), syslog.Options{Address: "file:" + lines})
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < b.N; n += 1000 {
		batch := make([]procmon.Record, min(1000, b.N-n))
		for i := range batch {
			batch[i] = usual(rnd, n+i)
		}
		if err := sink.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(lines)
	if err != nil {
		b.Fatal(err)
	}
	to := filepath.Join(dir, "cluster.db")
	b.ResetTimer()
	for _, pass := range []string{"new", "again"} {
		var out, errs bytes.Buffer
		w := &world{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }, now: reporttest.Now, zone: time.UTC}
		began, spent := time.Now(), cpuTime(b)
		if code := w.run(b.Context(), []string{"procmon-report", "import", "--index", to, lines}); code != 0 {
			b.Fatal(errs.String())
		}
		b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), pass+"-lines/s")
		b.ReportMetric(float64((cpuTime(b)-spent).Microseconds())/float64(b.N), pass+"-cpu-µs/line")
	}
	b.ReportMetric(float64(st.Size())/float64(b.N), "bytes/line")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// usual is a run of a job.
func usual(rnd *rand.Rand, n int) procmon.Record {
	job := n / 40
	tool := []string{"gmx_mpi", "bash", "sed", "python3.11", "R", "awk"}[min(rnd.IntN(6), rnd.IntN(6))]
	args := fmt.Sprintf("%s\x00--input\x00/work/projects/p%02d/data/common_%d.dat\x00", tool, job%40, rnd.IntN(12))
	if rnd.IntN(100) < 15 {
		args = fmt.Sprintf("%s\x00--input\x00/scratch/%d/out.%d.dat\x00--seed\x00%d\x00--verbose\x00", tool, job, n, rnd.Uint32())
	}
	start := reporttest.Now.Add(-20*24*time.Hour + time.Duration(n)*3*time.Millisecond + time.Duration(rnd.IntN(1e6)))
	began := procmon.BootNS(1e15 + int64(n)*3e6)
	uid := uint32(2000 + job%40)
	j := procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: fmt.Sprint(job), RawID: fmt.Sprint(job), Step: "batch", Task: "0", User: fmt.Sprint("user", uid), UID: uid,
		Account: fmt.Sprint("acct", job%7), Partition: "cpu", Name: "md", Evidence: procmon.EvidenceCgroup}
	for f := range j.By {
		j.By[f] = procmon.EvidenceFacts
	}
	end := start.Add(time.Duration(rnd.IntN(2e9)))
	return procmon.Record{Host: fmt.Sprint("node", job%50), Boot: reporttest.Boot, Time: end, Run: &procmon.Run{
		Process: &procmon.Process{Run: procmon.RunID{Process: procmon.ProcessID{PID: int32(1 + n%4_000_000), Start: began.Ticks()}, Exec: began}, Boot: reporttest.Boot,
			PPID: int32(n % 4_000_000), UID: uid, EUID: uid, LoginUID: uid, Comm: tool, Exe: "/apps/" + tool + "/bin/" + tool, Cwd: "/work/user", Args: []byte(args), ArgsBytes: len(args), ArgsCount: 3},
		Parent:   procmon.RunID{Process: procmon.ProcessID{PID: int32(n % 4_000_000)}, Exec: began - 1e6},
		UserName: j.User, Job: j, Start: start, End: end, Exit: &procmon.Exit{},
		Application: procmon.Application{Name: tool, Version: "1.0", Kind: procmon.KindApplication, Package: tool + "/1.0", Evidence: "easybuild", Rules: "1"},
		Usage:       &procmon.Usage{User: end.Sub(start) / 2, System: end.Sub(start) / 20, MaxRSS: 4096 * uint64(1+rnd.IntN(1<<16)), Read: 4096, Write: 0},
	}}
}
