package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"procmon/internal/history"
)

// repeats is how often a question is asked; the median counts, and the first
// time warms the page cache.
const repeats = 5

// question is one that people ask, and the same by hand.
type question struct {
	name   string
	target time.Duration
	args   []string // of procmon-report
	sql    string
}

func questions(m history.Mix, job string) []question {
	day := func(before int) string { return m.End().AddDate(0, 0, -before).Format("2006-01-02T15:04:05") }
	noon := func(before int) string {
		return m.End().AddDate(0, 0, -before).Add(12 * time.Hour).Format("2006-01-02T15:04:05")
	}
	since := func(before int) string { return fmt.Sprintf("strftime('%%s', '%s')", day(before)) }
	byApp := `SELECT application, sum(runs) AS runs, sum(cpu_seconds), sum(failed), max(max_rss_bytes), count(DISTINCT uid),
		count(DISTINCT cluster || raw_job_id || '.' || restart) FROM usage WHERE kind NOT IN ('launcher', 'shell', 'system') AND epoch_day >= %s / 86400 GROUP BY 1 ORDER BY 3 DESC`
	return []question{
		{"by application, 30 days", 150 * time.Millisecond, []string{"--utc", "--by-application", "--since", day(30), "--until", day(0)}, fmt.Sprintf(byApp, since(30))},
		{"by application, all", 500 * time.Millisecond, []string{"--utc", "--by-application", "--since", day(400)}, fmt.Sprintf(byApp, "0")},
		{"by user, all", 0, []string{"--utc", "--by-user", "--since", day(400)}, ""},
		{"job ID", 20 * time.Millisecond, []string{"job", job}, fmt.Sprintf("SELECT * FROM runs WHERE job_id = '%s' ORDER BY run_id", job)},
		{"single runs, 24 h", 500 * time.Millisecond, []string{"--utc", "--by-executable", "--since", noon(2), "--until", noon(1)},
			fmt.Sprintf("SELECT executable, count(*), sum(cpu_seconds) FROM runs WHERE run_id BETWEEN strftime('%%s', '%s') * 1000000 AND strftime('%%s', '%s') * 1000000 GROUP BY 1", noon(2), noon(1))},
	}
}

// ask asks all questions and prints a table.
func ask(ctx context.Context, report, path string, m history.Mix, out io.Writer) error {
	job, err := sqlite(ctx, path, "SELECT job_id FROM t_job WHERE id = (SELECT max(id) * 9 / 10 FROM t_job)")
	if err != nil {
		job = "1"
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "question\ttarget ms\tprocmon-report ms\tMiB\tsqlite3 ms")
	for _, q := range questions(m, strings.TrimSpace(job)) {
		took, memory, err := measure(ctx, report, append([]string{"--index", path}, q.args...)...)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		byHand := "–"
		if q.sql != "" {
			took, _, err := measure(ctx, "sqlite3", "-readonly", path, q.sql)
			switch {
			case err == nil:
				byHand = fmt.Sprintf("%.0f", millis(took))
			case !errors.Is(err, exec.ErrNotFound):
				return err
			}
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%s\n", q.name, millis(q.target), millis(took), float64(memory)/(1<<20), byHand)
	}
	return table.Flush()
}

// measure runs a program some times and gives the median time and the most memory.
func measure(ctx context.Context, name string, args ...string) (took time.Duration, memory int64, err error) {
	var all []time.Duration
	for range repeats {
		at := time.Now()
		used, err := runOnce(ctx, name, args...)
		if err != nil {
			return 0, 0, err
		}
		all, memory = append(all, time.Since(at)), max(memory, used)
	}
	slices.Sort(all)
	return all[len(all)/2], memory, nil
}

// runOnce runs a program and gives its greatest resident size in bytes.
func runOnce(ctx context.Context, name string, args ...string) (int64, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, nil
}

func sqlite(ctx context.Context, path, query string) (string, error) {
	out, err := exec.CommandContext(ctx, "sqlite3", "-readonly", path, query).Output()
	return string(out), err
}

// build makes procmon-report.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "procmon/cmd/procmon-report")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
