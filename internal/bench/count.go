package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tally is what the JSON lines hold of a storm.
type tally struct {
	started  int
	recorded int
	complete int // with every field below
	twice    int
	without  map[string]int // runs that lack a field
	lost     map[string]int // events lost, by reason
}

// line is what count reads of a JSON line.
type line struct {
	Event   struct{ Dataset string }
	Process struct {
		Executable string
		Name       string
		Args       []string
	}
	User struct{ ID string }
	HPC  struct {
		Job struct {
			RawID    string `json:"raw_id"`
			Evidence string
		}
		Usage   json.RawMessage
		Missing []string
		Loss    struct {
			Count  int
			Reason string
			Where  string
		}
	}
}

func count(path string, o options) (*tally, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	wanted := make(map[string]bool, o.execs)
	for i := range o.execs {
		wanted[argument(i)] = true
	}
	t := &tally{started: o.execs, without: map[string]int{}, lost: map[string]int{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", path, err, lines.Bytes())
		}
		t.add(&l, wanted, o)
	}
	return t, lines.Err()
}

func (t *tally) add(l *line, wanted map[string]bool, o options) {
	if l.Event.Dataset == "procmon.loss" {
		t.lost[l.HPC.Loss.Where+": "+l.HPC.Loss.Reason] += l.HPC.Loss.Count
		return
	}
	if l.Event.Dataset != "procmon.run" {
		return
	}
	noArgs := len(l.Process.Args) != 2
	// A run of which little could be read is known by its name and user.
	ours := l.HPC.Job.RawID == jobID || (l.Process.Name == filepath.Base(o.program) && l.User.ID == strconv.Itoa(o.uid))
	if noArgs && !ours || !noArgs && l.Process.Args[0] != o.program || strings.Contains(l.Process.Executable, spawnerName) {
		return // somebody else's, or a spawner
	}
	t.recorded++
	whole := true
	need := func(field string, ok bool) {
		if !ok {
			t.without[field]++
			whole = false
		}
	}
	need("command line", !noArgs)
	if !noArgs {
		if arg := l.Process.Args[1]; wanted[arg] {
			delete(wanted, arg)
		} else {
			t.twice++
		}
	}
	need("exe", l.Process.Executable != "")
	need("uid", l.User.ID == strconv.Itoa(o.uid))
	need("job by cgroup", l.HPC.Job.RawID == jobID && l.HPC.Job.Evidence == "cgroup")
	if len(l.HPC.Usage) == 0 {
		t.without["usage"]++
	}
	if whole {
		t.complete++
	}
}

func (t *tally) print(w io.Writer, o options) {
	fmt.Fprintf(w, "started         %d × %s by uid %d, %d at once\n", t.started, o.program, o.uid, o.spawners)
	fmt.Fprintf(w, "complete        %.3f %% (%d): command line, exe, uid, cgroup and job\n", 100*float64(t.complete)/float64(t.started), t.complete)
	fmt.Fprintf(w, "recorded        %d, twice %d\n", t.recorded, t.twice)
	for _, field := range slices.Sorted(maps.Keys(t.without)) {
		fmt.Fprintf(w, "  without %-13s %d\n", field, t.without[field])
	}
	for _, reason := range slices.Sorted(maps.Keys(t.lost)) {
		fmt.Fprintf(w, "  lost, said so: %s %d\n", reason, t.lost[reason])
	}
	lost := t.lost["procconn: vanished"] + t.lost["procconn: buffer full"] + t.lost["procconn: queue full"]
	if missing := t.started - t.recorded - lost; missing > 0 {
		fmt.Fprintf(w, "UNACCOUNTED     %d\n", missing)
	}
}
