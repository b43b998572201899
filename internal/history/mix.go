package history

import "time"

// MixName is the name of the one mix there is.
const MixName = "cluster"

// Mix says how much history is made, and of what.
type Mix struct {
	Seed  uint64
	Runs  int           // how many runs
	Start time.Time     // when the first may begin
	Span  time.Duration // over which time they begin, 200 years at most
	Hosts int           // how many hosts tell of them
	Users int
	Fresh float64 // share of runs that have a new command line, 0 to 1
	Jobs  int     // the number of the last job before
}

// Cluster is the mix of the documentation: a year of four hosts and 300 users
// that ends at a fixed time, so that equal arguments make equal records.
func Cluster(runs int, seed uint64) Mix {
	end := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	return Mix{Seed: seed, Runs: runs, Start: end.AddDate(-1, 0, 0), Span: 365 * 24 * time.Hour, Hosts: 4, Users: 300, Fresh: 0.15}
}

// Next is a history that goes on where m ends, as densely, and of other luck.
func (m Mix) Next(runs int) Mix {
	m.Start, m.Jobs = m.End(), m.Jobs+m.Runs // each has a run at least
	m.Span = time.Duration(float64(m.Span) / float64(m.Runs) * float64(runs))
	m.Runs, m.Seed = runs, m.Seed+1
	return m
}

// End is the time by which all runs have begun.
func (m Mix) End() time.Time { return m.Start.Add(m.Span) }
