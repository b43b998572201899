package report

import (
	"context"
	"math"
	"slices"
)

var runColumns = []Column{
	{Name: "depth", Title: "Depth", Unit: Count},
	{Name: "host", Title: "Host"}, {Name: "pid", Title: "PID", Unit: Count}, {Name: "ppid", Title: "PPID", Unit: Count},
	{Name: "start", Title: "Start", Unit: Time}, {Name: "end", Title: "End", Unit: Time, Missing: "?"},
	{Name: "step", Title: "Step", Missing: "(none)"}, {Name: "task", Title: "Task"}, {Name: "user", Title: "User", Missing: "(unknown)"},
	{Name: "application", Title: "Application", Missing: "(unknown)"}, {Name: "version", Title: "Version"}, {Name: "kind", Title: "Kind"},
	{Name: "executable", Title: "Executable", Missing: "(unknown)"}, {Name: "command_line", Title: "Command line", Missing: "(unknown)"},
	{Name: "command_cut", Unit: Count}, // 1: the command line is not whole
	{Name: "elapsed_seconds", Title: "Elapsed", Unit: Seconds, Missing: "?"}, {Name: "cpu_seconds", Title: "CPU", Unit: Seconds, Missing: "?"},
	{Name: "max_rss_bytes", Title: "Max RSS", Unit: Bytes, Missing: "?"}, {Name: "max_rss_upper_bound", Unit: Mark}, {Name: "read_bytes", Title: "Read", Unit: Bytes, Missing: "?"},
	{Name: "write_bytes", Title: "Written", Unit: Bytes, Missing: "?"},
	{Name: "exit_code", Title: "Exit", Unit: Count}, {Name: "exit_signal", Title: "Signal", Unit: Count}, {Name: "outcome", Title: "Outcome", Missing: "running"},
	{Name: "provisional", Unit: Mark},
}

// longest is how many characters of a command line a report holds: a job can
// have 100,000 runs with 2 MiB each.
const longest = 4096

// runs reads the oldest runs of a job and puts each below its parent.
func (j *JobDetail) runs(ctx context.Context, db Querier, key *jobKey, limit int) error {
	flat := Grid{Columns: runColumns}
	var nodes []node
	s := singles(key)
	s.add(` ORDER BY run_id LIMIT ?`, limit)
	more := len(runColumns)
	err := each(ctx, db, s, more+1, func(raw []any) error {
		n := node{host: toText(raw[1]), pid: toInt(raw[2]), ppid: toInt(raw[3]), start: toFloat(raw[4]), end: math.Inf(1), parent: math.NaN()}
		if raw[5] != nil {
			n.end = toFloat(raw[5])
		}
		if raw[more] != nil {
			n.parent = toFloat(raw[more])
		}
		nodes = append(nodes, n)
		return flat.take(raw)
	})
	if err != nil {
		return err
	}
	j.Runs.Columns = runColumns
	for _, p := range tree(nodes) {
		row := flat.Rows[p.index]
		row[0] = int64(p.depth)
		j.Runs.Rows = append(j.Runs.Rows, row)
	}
	return nil
}

// singles selects runColumns, and the start of the parent run, of a job's runs.
func singles(key *jobKey) *statement {
	s := new(statement)
	s.add(`SELECT 0, host, pid, ppid, start, "end", step_id, task_id, `+person+`, application, version, coalesce(kind, 'unknown'),
		executable, substr(command_line, 1, ?), command_cut OR length(command_line) > ?, elapsed_seconds, cpu_seconds, max_rss_bytes,
		max_rss_upper_bound, read_bytes, write_bytes, exit_code, exit_signal, outcome, provisional, parent_start FROM runs WHERE 1`, longest, longest)
	s.key(key)
	return s
}

// notable reads the runs that took longest and those that failed. Launchers and
// shells take long because what they began does: they come last.
func (j *JobDetail) notable(ctx context.Context, db Querier, key *jobKey) error {
	j.Slowest.Columns, j.Failed.Columns = runColumns, runColumns
	for _, part := range []struct {
		into *Grid
		sql  string
	}{
		{&j.Slowest, ` AND elapsed_seconds > 0 ORDER BY ` + leftOut + `, elapsed_seconds DESC, run_id LIMIT ?`},
		{&j.Failed, ` AND outcome = 'failure' ORDER BY run_id LIMIT ?`},
	} {
		s := singles(key)
		s.add(part.sql, MaxNotable)
		err := each(ctx, db, s, len(runColumns)+1, func(raw []any) error { return part.into.take(raw) })
		if err != nil {
			return err
		}
	}
	j.Exits.Columns = []Column{{Name: "exit", Title: "Exit", Missing: "(unknown)"}, {Name: "runs", Title: "Runs", Unit: Count, Rank: 1}}
	s := new(statement)
	s.add(`SELECT ` + exitWay + `, count(*) FROM runs WHERE outcome = 'failure'`)
	s.key(key)
	s.add(` GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?`, MaxNotable)
	return each(ctx, db, s, 2, j.Exits.take)
}

// node is what the tree needs of a run; times are Unix seconds.
type node struct {
	host       string
	pid, ppid  int64
	start, end float64 // end +Inf: goes on
	parent     float64 // start of the parent run, NaN: not known
}

// place is where a run stands in the tree.
type place struct{ index, depth int }

// slack is how far the start of a run may lie from what its children say, in
// seconds: the index moves starts by a µs until each is of one run only.
const slack = 1e-4

// tree orders runs, which come by their starts, so that each stands below its
// parent and above its children. A run whose parent is not among them stands
// at the top. A parent always began before its child, so there are no rings.
func tree(nodes []node) []place {
	children := make([][]int, len(nodes))
	var top []int
	byPID := map[string]map[int64][]int{}
	for i, n := range nodes {
		pids := byPID[n.host]
		if pids == nil {
			pids = map[int64][]int{}
			byPID[n.host] = pids
		}
		p := parentByStart(nodes[:i], &n)
		if p < 0 {
			p = parentByPID(nodes, pids[n.ppid], &n)
		}
		if p < 0 {
			top = append(top, i)
		} else {
			children[p] = append(children[p], i)
		}
		pids[n.pid] = append(pids[n.pid], i)
	}
	return flatten(top, children)
}

// flatten goes through the tree without recursion, which a user's deep chain
// of programs would make deep.
func flatten(top []int, children [][]int) []place {
	var out, stack []place
	push := func(indexes []int, depth int) {
		for _, i := range slices.Backward(indexes) {
			stack = append(stack, place{i, depth})
		}
	}
	push(top, 0)
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		out = append(out, p)
		push(children[p.index], p.depth+1)
	}
	return out
}

// parentByStart finds the run that began when n's parent did, the one of the
// right pid if there are several; -1 if there is none.
func parentByStart(before []node, n *node) int {
	if math.IsNaN(n.parent) {
		return -1
	}
	i, _ := slices.BinarySearchFunc(before, n.parent-slack, func(c node, t float64) int {
		return int(math.Copysign(1, c.start-t))
	})
	best, off := -1, math.Inf(1)
	for ; i < len(before) && before[i].start <= n.parent+slack; i++ {
		c := &before[i]
		d := math.Abs(c.start - n.parent)
		if c.pid != n.ppid {
			d += slack
		}
		if c.host == n.host && d < off {
			best, off = i, d
		}
	}
	return best
}

// parentByPID finds the newest run of the parent's pid that was still going.
func parentByPID(nodes []node, candidates []int, n *node) int {
	for _, i := range slices.Backward(candidates) {
		if nodes[i].end >= n.start {
			return i
		}
	}
	return -1
}
