package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// sample is one tool in one workload, once.
type sample struct {
	Tool, Workload string
	Round          int
	Execs          int // all of the workload, those with unknown arguments too
	Wall           time.Duration
	CPU            time.Duration // of the workload's own processes
	RunCPU         time.Duration // of it, what wait4 told of the runs

	ToolCPU, KernelCPU, LoggerCPU time.Duration
	HasKernel, HasLogger          bool
	Peak                          int64 // bytes of the tool, resident
	Sleeps                        int64 // of the tool's threads
	Foreign                       int   // processes that others started meanwhile
	Told                          tally
}

// results are all samples of one run of the benchmark.
type results struct {
	Machine   string
	Rounds    int
	Tools     []string
	Workloads []workload
	Absent    map[string]string // tools and workloads that can't be had here, with the reason
	Samples   []sample
}

// disturbed says that others started so many processes that what a tool paid
// for these would show.
func (s *sample) disturbed() bool { return s.Foreign > 50+s.Execs/10 }

// calm leaves out what was disturbed, if anything else is left.
func calm(all []sample) []sample {
	var rest []sample
	for i := range all {
		if !all[i].disturbed() {
			rest = append(rest, all[i])
		}
	}
	if rest == nil {
		return all
	}
	return rest
}

// none is the row that all others are compared with.
const none = "none"

// unknown stands where there is no figure.
const unknown = "–"

// print writes the tables of each workload.
func (r *results) print(w io.Writer, format string) error {
	fmt.Fprintf(w, "%s; medians of up to %d rounds, smallest and largest in brackets\n", r.Machine, r.Rounds)
	for i := range r.Workloads {
		load := &r.Workloads[i]
		title := "\n" + load.name + ": " + load.about
		if load.program != nothing {
			title += fmt.Sprintf(", %s execs", thousands(load.execs*load.each))
		}
		if reason := r.Absent[load.name]; reason != "" {
			title += ": not measured: " + reason
		}
		fmt.Fprintln(w, title)
		for _, t := range r.tables(load) {
			if err := t.write(w, format); err != nil {
				return err
			}
		}
	}
	for _, name := range r.Tools {
		if reason := r.Absent[name]; reason != "" {
			fmt.Fprintf(w, "\n%s: not available: %s\n", name, reason)
		}
	}
	return nil
}

func (r *results) tables(load *workload) []*table {
	if load.program == nothing {
		return []*table{r.idle(load)}
	}
	return []*table{r.completeness(load), r.costs(load)}
}

func (r *results) of(tool, load string) (found []sample) {
	for _, s := range r.Samples {
		if s.Tool == tool && s.Workload == load {
			found = append(found, s)
		}
	}
	return found
}

// completeness is what the tools told, of all rounds together.
func (r *results) completeness(load *workload) *table {
	t := &table{head: []string{"tool", "line %", "exe %", "uid %", "cwd %", "cgroup %", "job %", "usage %", "CPU told %", "twice", "lost", "silent"}}
	for _, tool := range r.Tools {
		if all := r.of(tool, load.name); tool != none && len(all) > 0 {
			t.rows = append(t.rows, r.told(tool, all, load))
		}
	}
	return t
}

func (r *results) told(tool string, all []sample, load *workload) []string {
	var sum tally
	var ran time.Duration
	silent := 0
	for i := range all {
		s := &all[i]
		sum.Started += s.Told.Started
		for f, n := range s.Told.Fields {
			sum.Fields[f] += n
		}
		sum.Twice += s.Told.Twice
		sum.Lost += s.Told.Lost
		sum.SaysLost = s.Told.SaysLost
		sum.CPU += s.Told.CPU
		silent += s.Told.Silent()
		ran += s.RunCPU
	}
	row := []string{tool}
	for f, n := range sum.Fields {
		row = append(row, r.share(tool, field(f), n, sum.Started))
	}
	cpu, lost := unknown, unknown
	if sum.Fields[usageField] > 0 && ran > 0 && load.each == 1 {
		cpu = fmt.Sprintf("%.1f", 100*sum.CPU.Seconds()/ran.Seconds())
	}
	if sum.SaysLost {
		lost = strconv.Itoa(sum.Lost)
	}
	return append(row, cpu, strconv.Itoa(sum.Twice), lost, strconv.Itoa(silent))
}

// share is a part in per cent, unknown where the tool has no such field at all.
func (r *results) share(tool string, f field, n, of int) string {
	if n == 0 && !slices.ContainsFunc(r.Samples, func(s sample) bool { return s.Tool == tool && s.Told.Fields[f] > 0 }) {
		return unknown
	}
	return percent(n, of)
}

// percent is rounded down: 100 is all.
func percent(n, of int) string {
	if of == 0 {
		return unknown
	}
	thousandth := n * 100_000 / of
	return strconv.FormatFloat(float64(thousandth)/1000, 'f', -1, 64)
}

// costs are those of the tools and of the workload.
func (r *results) costs(load *workload) *table {
	t := &table{head: []string{"tool", "its CPU µs", "kauditd µs", "rsyslogd µs", "RSS MiB", "others", "own CPU µs", "own − none", "wall s", "wall ÷ none"}}
	for _, tool := range r.Tools {
		if all := calm(r.of(tool, load.name)); len(all) > 0 {
			t.rows = append(t.rows, append(append([]string{tool}, toolCosts(tool, all)...), r.ownCosts(tool, all)...))
		}
	}
	return t
}

func toolCosts(tool string, all []sample) []string {
	if tool == none {
		return []string{unknown, unknown, unknown, unknown, others(all)}
	}
	kernel, logger := unknown, unknown
	if all[0].HasKernel {
		kernel = one(all, func(s *sample) float64 { return s.micros(s.KernelCPU) })
	}
	if all[0].HasLogger {
		logger = one(all, func(s *sample) float64 { return s.micros(s.LoggerCPU) })
	}
	return []string{one(all, func(s *sample) float64 { return s.micros(s.ToolCPU) }), kernel, logger, peak(all), others(all)}
}

// others is how many foreign processes were started, in the worst round.
func others(all []sample) string {
	return fmt.Sprintf("%.0f", slices.Max(values(all, func(s *sample) float64 { return float64(s.Foreign) })))
}

func peak(all []sample) string {
	p := slices.Max(values(all, func(s *sample) float64 { return float64(s.Peak) }))
	return fmt.Sprintf("%.1f", p/(1<<20))
}

// ownCosts are the workload's: against the runs without a tool just before and
// just after, as a shared machine changes with time.
func (r *results) ownCosts(tool string, all []sample) []string {
	more, longer := unknown, unknown
	if tool != none {
		var differences, ratios []float64
		for i := range all {
			if cpu, wall, ok := r.without(&all[i]); ok {
				differences = append(differences, all[i].micros(all[i].CPU)-cpu)
				ratios = append(ratios, all[i].Wall.Seconds()/wall)
			}
		}
		if differences != nil {
			more, longer = spread("%+.1f", differences), spread("%.3f", ratios)
		}
	}
	return []string{
		one(all, func(s *sample) float64 { return s.micros(s.CPU) }), more,
		one(all, func(s *sample) float64 { return s.Wall.Seconds() }), longer,
	}
}

// without is the mean of the nearest samples without a tool on both sides:
// microseconds of CPU an exec, and seconds.
func (r *results) without(s *sample) (cpu, wall float64, ok bool) {
	at := slices.IndexFunc(r.Samples, func(o sample) bool {
		return o.Tool == s.Tool && o.Workload == s.Workload && o.Round == s.Round
	})
	n := 0.0
	for _, step := range []int{-1, 1} {
		for i := at + step; i >= 0 && i < len(r.Samples); i += step {
			o := &r.Samples[i]
			if o.Workload != s.Workload || o.Round != s.Round {
				break
			}
			if o.Tool == none {
				cpu, wall, n = cpu+o.micros(o.CPU), wall+o.Wall.Seconds(), n+1
				break
			}
		}
	}
	return cpu / n, wall / n, n > 0
}

// idle is what the tools cost that have nothing to do.
func (r *results) idle(load *workload) *table {
	t := &table{head: []string{"tool", "CPU %", "rsyslogd CPU %", "sleeps/s", "RSS MiB", "others"}}
	for _, tool := range r.Tools {
		all := r.of(tool, load.name)
		if len(all) == 0 {
			continue
		}
		share := func(of func(*sample) time.Duration) string {
			return fmt.Sprintf("%.4f", median(values(all, func(s *sample) float64 { return 100 * of(s).Seconds() / s.Wall.Seconds() })))
		}
		logger := unknown
		if all[0].HasLogger {
			logger = share(func(s *sample) time.Duration { return s.LoggerCPU })
		}
		t.rows = append(t.rows, []string{
			tool, share(func(s *sample) time.Duration { return s.ToolCPU + s.KernelCPU }), logger,
			one(all, func(s *sample) float64 { return float64(s.Sleeps) / s.Wall.Seconds() }), peak(all), others(all),
		})
	}
	return t
}

// micros is a time for each exec of the workload, in microseconds.
func (s *sample) micros(d time.Duration) float64 {
	return d.Seconds() * 1e6 / float64(s.Execs)
}

func values(all []sample, of func(*sample) float64) []float64 {
	v := make([]float64, len(all))
	for i := range all {
		v[i] = of(&all[i])
	}
	return v
}

func one(all []sample, of func(*sample) float64) string {
	return fmt.Sprintf("%.1f", median(values(all, of)))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// spread is the median with the smallest and the largest value.
func spread(format string, v []float64) string {
	s := fmt.Sprintf(format, median(v))
	if len(v) > 1 {
		s += " (" + fmt.Sprintf(format, slices.Min(v)) + "…" + fmt.Sprintf(format, slices.Max(v)) + ")"
	}
	return s
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
