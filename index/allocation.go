package index

import (
	"database/sql"
	"time"

	"procmon"
)

// stage orders what accounting says of one life of a job at different times.
func stage(a *procmon.Allocation) int {
	switch {
	case a.Over:
		return 2
	case !a.Start.IsZero():
		return 1
	}
	return 0
}

// sameLife says whether two are of the same life, as far as they tell.
func sameLife(a, b *procmon.Allocation) bool {
	return a.Start.IsZero() || b.Start.IsZero() || a.Start.Equal(b.Start)
}

// later says whether now is not older than was, both of one life.
func later(was, now *procmon.Allocation) bool {
	if a, b := stage(was), stage(now); a != b {
		return b > a
	}
	return now.Elapsed >= was.Elapsed
}

// fill adds to a what only b tells.
func fill(a *procmon.Allocation, b *procmon.Allocation) {
	if a.State == "" {
		a.State = b.State
	}
	if a.Exit == nil {
		a.Exit = b.Exit
	}
	for _, n := range []struct{ dst, src *int }{{&a.CPUs, &b.CPUs}, {&a.GPUs, &b.GPUs}, {&a.Nodes, &b.Nodes}} {
		if *n.dst == 0 {
			*n.dst = *n.src
		}
	}
	if a.NodeList == "" {
		a.NodeList = b.NodeList
	}
	for _, at := range []struct{ dst, src *time.Time }{{&a.Submit, &b.Submit}, {&a.Start, &b.Start}, {&a.End, &b.End}} {
		if at.dst.IsZero() {
			*at.dst = *at.src
		}
	}
	for _, d := range []struct{ dst, src *time.Duration }{{&a.Elapsed, &b.Elapsed}, {&a.CPU, &b.CPU}} {
		if *d.dst == 0 {
			*d.dst = *d.src
		}
	}
}

// allocation reads what is known of a job's allocation, nil for nothing.
func (t *txn) allocation(job int64) (*procmon.Allocation, error) {
	a := new(procmon.Allocation)
	var state, list sql.NullString
	var exit, cpus, gpus, nodes, submit, begin, done, elapsed, cpu sql.NullInt64
	ok, err := t.get(`SELECT state, over, exit, cpus, gpus, nodes, node_list, submit, begin, done, elapsed, cpu_us FROM t_allocation WHERE job = ?`,
		[]any{job}, &state, &a.Over, &exit, &cpus, &gpus, &nodes, &list, &submit, &begin, &done, &elapsed, &cpu)
	if err != nil || !ok {
		return nil, err
	}
	a.State, a.NodeList = state.String, list.String
	a.CPUs, a.GPUs, a.Nodes = int(cpus.Int64), int(gpus.Int64), int(nodes.Int64)
	a.Submit, a.Start, a.End = timeOf(submit), timeOf(begin), timeOf(done)
	a.Elapsed, a.CPU = time.Duration(elapsed.Int64)*time.Microsecond, time.Duration(cpu.Int64)*time.Microsecond
	if exit.Valid {
		e := exitFrom(exit.Int64)
		a.Exit = &e
	}
	return a, nil
}

// storeAllocation makes or changes a job's row.
func (t *txn) storeAllocation(job int64, a *procmon.Allocation) error {
	err := t.exec(`INSERT OR REPLACE INTO t_allocation
		(job, state, over, exit, cpus, gpus, nodes, node_list, submit, begin, done, elapsed, cpu_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		job, known(a.State), a.Over, exitOf(a.Exit), positive(a.CPUs), gpusOf(a), positive(a.Nodes), known(a.NodeList),
		microsOf(a.Submit), microsOf(a.Start), microsOf(a.End), positive(int(a.Elapsed.Microseconds())), positive(int(a.CPU.Microseconds())))
	return err
}

// gpusOf is how many GPUs: none, where CPUs are known and no GPU is told.
func gpusOf(a *procmon.Allocation) any {
	if a.CPUs > 0 {
		return a.GPUs
	}
	return positive(a.GPUs)
}

// plainAllocation is a without what is stored elsewhere, fit for comparing.
func plainAllocation(a procmon.Allocation) procmon.Allocation {
	a.Hosts = nil
	a.State, a.NodeList = clean(a.State), clean(a.NodeList)
	for _, at := range []*time.Time{&a.Submit, &a.Start, &a.End} {
		if !at.IsZero() {
			*at = at.Truncate(time.Microsecond).UTC()
		}
	}
	a.Elapsed, a.CPU = max(0, a.Elapsed.Truncate(time.Microsecond)), max(0, a.CPU.Truncate(time.Microsecond))
	return a
}

func sameExit(a, b *procmon.Exit) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func sameAllocation(a, b procmon.Allocation) bool {
	if !sameExit(a.Exit, b.Exit) || !a.Submit.Equal(b.Submit) || !a.Start.Equal(b.Start) || !a.End.Equal(b.End) {
		return false
	}
	return a.State == b.State && a.Over == b.Over && a.CPUs == b.CPUs && a.GPUs == b.GPUs && a.Nodes == b.Nodes &&
		a.NodeList == b.NodeList && a.Elapsed == b.Elapsed && a.CPU == b.CPU
}
