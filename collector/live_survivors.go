package collector

import (
	"slices"

	"procmon"
)

// Survivors gives the number of live runs of a job, and the oldest of them, most
// at most.
func (l *Live) Survivors(key procmon.JobKey, most int) (count uint64, oldest []procmon.Survivor) {
	n := l.RunsOf(key)
	if n == 0 {
		return 0, nil
	}
	found := make(map[*run]struct{}, n)
	for _, pr := range l.procs {
		if pr.run.Job.Key() == key {
			found[pr.run] = struct{}{}
		}
	}
	for _, r := range l.runs {
		if r.Job.Key() == key {
			found[r] = struct{}{}
		}
	}
	for r := range found {
		if !r.void {
			oldest = append(oldest, procmon.Survivor{Run: r.Process.Run, Comm: r.Process.Comm, Exe: r.Process.Exe})
		}
	}
	slices.SortFunc(oldest, func(a, b procmon.Survivor) int { return compareRuns(a.Run, b.Run) })
	return uint64(len(oldest)), oldest[:min(len(oldest), most)]
}
