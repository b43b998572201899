package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// line is what the tests look at in a JSON line.
type line struct {
	size  int
	Event struct {
		ID, Dataset, Outcome string
		Type                 []string
		Start, End           time.Time
		Duration             time.Duration
	}
	Process struct {
		PID              int
		EntityID         string `json:"entity_id"`
		Executable       string
		Name             string
		Args             []string
		ArgsCount        int    `json:"args_count"`
		ArgsTruncated    int    `json:"args_truncated"`
		WorkingDirectory string `json:"working_directory"`
		Parent           struct{ PID int }
		Start, End       time.Time
		ExitCode         *int `json:"exit_code"`
		ExitSignal       *int `json:"exit_signal"`
	}
	User struct {
		ID, Name  string
		Effective struct{ ID string }
	}
	HPC struct {
		Job         jobPart
		Application appPart
		Usage       usagePart
		Adopted     bool
		Deleted     bool `json:"executable_deleted"`
		Missing     []string

		Runs         int
		Applications []appPart
		Surviving    int `json:"surviving_runs"`
		Survivors    []struct {
			PID  int
			Name string
		}
		Exits []struct {
			Code   *int `json:"exit_code"`
			Signal *int `json:"exit_signal"`
			Runs   int
		}
		Status struct{ Version string }
		Loss   struct {
			Count         int
			Reason, Where string
		}
	}
}

type jobPart struct {
	Scheduler, Cluster, ID, User, Evidence, Conflict string
	RawID                                            string `json:"raw_id"`
	Step                                             string `json:"step_id"`
	ArrayJob                                         string `json:"array_job_id"`
	ArrayTask                                        string `json:"array_task_id"`
	CPUs                                             int
	Unproved                                         []string
	Start, End                                       time.Time
	CgroupCPU                                        int64     `json:"cgroup_cpu_ns"`
	CgroupUntil                                      time.Time `json:"cgroup_cpu_until"`
}

type appPart struct {
	Name, Version, Kind, Evidence string
	Runs                          int
}

type usagePart struct {
	User        int64  `json:"user_cpu_ns"`
	System      int64  `json:"system_cpu_ns"`
	MaxRSS      uint64 `json:"max_rss_bytes"`
	RSSBound    bool   `json:"max_rss_upper_bound"`
	Provisional bool
	Read        uint64 `json:"read_bytes"`
	Write       uint64 `json:"write_bytes"`
}

func (l *line) starts() bool { return slices.Contains(l.Event.Type, "start") }
func (l *line) ends() bool   { return slices.Contains(l.Event.Type, "end") }

// readLines reads a file of JSON lines, in which every line must be whole and
// valid. A line that comes twice, which at-least-once delivery allows, counts
// once.
func readLines(t *testing.T, path string) []line {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []line
	seen := map[string]bool{}
	for i, raw := range bytes.SplitAfter(text, []byte("\n")) {
		if len(raw) == 0 {
			break
		}
		if raw[len(raw)-1] != '\n' || !utf8.Valid(raw) {
			t.Fatalf("%s:%d is cut or not UTF-8: %q", path, i+1, raw)
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			t.Fatalf("%s:%d: %v: %q", path, i+1, err, cut(string(raw)))
		}
		l.size = len(raw) - 1
		if l.Event.ID == "" {
			t.Fatalf("%s:%d has no event.id: %s", path, i+1, raw)
		}
		if !seen[l.Event.ID] {
			seen[l.Event.ID] = true
			lines = append(lines, l)
		}
	}
	return lines
}

// withArg picks the lines of runs that have an argument.
func withArg(lines []line, arg string) []line {
	return pick(lines, "procmon.run", func(l *line) bool { return slices.Contains(l.Process.Args, arg) })
}

// withTag picks the lines of runs with an argument that holds text.
func withTag(lines []line, text string) []line {
	return pick(lines, "procmon.run", func(l *line) bool {
		return slices.ContainsFunc(l.Process.Args, func(a string) bool { return strings.Contains(a, text) })
	})
}

func pick(lines []line, dataset string, keep func(*line) bool) []line {
	var picked []line
	for i := range lines {
		if lines[i].Event.Dataset == dataset && keep(&lines[i]) {
			picked = append(picked, lines[i])
		}
	}
	return picked
}

// want is what the tests say of a program that they started.
type want struct {
	arg  string // its last argument; of its executable no other run has it
	exe  string // empty stands for true(1), "*" for any
	user account
	raw  string // raw job id; empty: in no job
	job  string // as users say it; empty: as raw
	step string
	runs int // 0 stands for 1
}

// expect compares what was started with both stores. A run that neither has
// must be among those that the daemon has counted as lost: on a loaded machine
// a very short program can end before it is read.
func (d *daemon) expect(lines []line, cluster string, wants ...want) {
	d.t.Helper()
	for _, w := range wants {
		if w.job == "" {
			w.job = w.raw
		}
		w.runs = max(w.runs, 1)
		if w.exe == "" {
			w.exe = d.f.trueProgram
		}
		ours := slices.DeleteFunc(withArg(lines, w.arg), func(l line) bool { return w.exe != "*" && l.Process.Executable != w.exe })
		rows := slices.DeleteFunc(d.rows(w.arg), func(r row) bool { return w.exe != "*" && r.Executable != w.exe })
		if starts := len(pick(ours, "procmon.run", (*line).starts)); starts == len(rows) && starts < w.runs {
			if short := w.runs - starts; *d.missing+short <= notSeen(lines) {
				d.t.Logf("%s: %d runs are among the %d that the daemon counts as lost", w.arg, short, notSeen(lines))
				*d.missing += short
				w.runs = starts
			}
		}
		d.expectLines(ours, cluster, w)
		d.expectRows(rows, cluster, w)
	}
}

// notSeen adds up what the source has counted as lost; messages of other
// senders that it dropped were no runs.
func notSeen(lines []line) int {
	n := 0
	for _, l := range pick(lines, "procmon.loss", func(l *line) bool {
		return l.HPC.Loss.Where == "procconn" && l.HPC.Loss.Reason != "not from kernel"
	}) {
		n += l.HPC.Loss.Count
	}
	return n
}

func (d *daemon) expectLines(lines []line, cluster string, w want) {
	d.t.Helper()
	starts, ends, ids := 0, 0, map[string]bool{}
	for _, l := range lines {
		ids[l.Process.EntityID] = true
		if l.starts() {
			starts++
		}
		if l.ends() {
			ends++
		}
		j := l.HPC.Job
		if l.User.Name != w.user.name || j.ID != w.job || j.RawID != w.raw || j.Step != w.step {
			d.t.Errorf("%s: line has user %q job %q raw %q step %q; want %q %q %q %q", w.arg, l.User.Name, j.ID, j.RawID, j.Step,
				w.user.name, w.job, w.raw, w.step)
		}
		if w.raw != "" && (j.Scheduler != "slurm" || j.Cluster != cluster) {
			d.t.Errorf("%s: line has scheduler %q, cluster %q; want slurm, %q", w.arg, j.Scheduler, j.Cluster, cluster)
		}
	}
	if starts != w.runs || ends != w.runs || len(ids) != w.runs {
		d.t.Errorf("%s: %d starts, %d ends, %d entity ids in the JSON lines; want %d of each", w.arg, starts, ends, len(ids), w.runs)
	}
}

func (d *daemon) expectRows(rows []row, cluster string, w want) {
	d.t.Helper()
	if len(rows) != w.runs {
		d.t.Errorf("%s: %d runs in the index, want %d", w.arg, len(rows), w.runs)
	}
	for _, r := range rows {
		if r.User != w.user.name || r.Job != w.job || r.Raw != w.raw || r.Step != w.step {
			d.t.Errorf("%s: index has user %q job %q raw %q step %q; want %q %q %q %q", w.arg, r.User, r.Job, r.Raw, r.Step,
				w.user.name, w.job, w.raw, w.step)
		}
		if w.raw != "" && r.Cluster != cluster {
			d.t.Errorf("%s: index has cluster %q, want %q", w.arg, r.Cluster, cluster)
		}
	}
}
