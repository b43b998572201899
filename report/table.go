package report

import (
	"cmp"
	"slices"
	"time"
)

// Unit says what the values of a column are.
type Unit uint8

// The units, each with the Go type of its values. Any value may be nil: not known.
const (
	Text    Unit = iota // string
	Count               // int64
	Seconds             // float64
	Bytes               // int64
	Time                // time.Time, UTC
	List                // []string
	Share               // float64, 0 to 1: a part of the total
	Change              // float64, seconds more or less than before
	Mark                // bool: about the value of the column before it, which for people stands there
)

// Column is one column of a Table.
type Column struct {
	Name  string // in JSON, CSV and for sorting
	Title string // for people
	Unit  Unit
	// Missing is what to show people in place of nil.
	Missing string
	// Rank says which columns to give up first where room is short: the
	// greatest. Dimensions have 0 and are never given up.
	Rank int
}

// Grid is rows of values.
type Grid struct {
	Columns []Column
	Rows    [][]any // a value for each column
}

// Table is the answer to a query.
type Table struct {
	Grid
	Query  Query  // with everything implied written out, the range as it was answered
	Source string // the view that it was answered from: "usage" or "runs"
	// Total is a row over everything that the query asks for, rows beyond its
	// limit included; dimensions in it are nil.
	Total    []any
	RowCount int  // rows that there are without the limit
	LeftOut  Part // launchers, shells and system programs, when the query does not count them
	Unnamed  Part // runs whose application is unknown, counted in Total; in reports by application
	// Allocated is the core and GPU time of the jobs in the range, as the scheduler
	// tells it: Total, LeftOut and Unattributed together. nil: not known, or some filter keeps parts of jobs only.
	Allocated *Allocation
	// Unattributed is what of Allocated no row has: of jobs of which no CPU time is recorded, or less than accounting tells.
	Unattributed Allocation
	Coverage     Coverage
	Notes        []string // what a reader should know, in sentences
}

// Part is a share of the runs.
type Part struct {
	Runs       int64
	CPUSeconds float64
	Allocation
}

// Allocation is time for which jobs had cores and GPUs.
type Allocation struct{ CoreSeconds, GPUSeconds float64 }

// Coverage is what was recorded in a time, of all users and jobs, and what is
// known not to have been.
type Coverage struct {
	From, To time.Time // the time it speaks of; zero From: from the beginning
	Recorded int64     // runs that began in that time; -1: not known
	LostRuns int64     // runs lost, at most; those of unknown number left out
	Lost     int64     // all events lost, those of unknown number left out
	Losses   []Loss    // by reason and source, the most events first
	Gaps     []Gap     // times in which nobody looked, the longest first, MaxGaps at most
	GapCount int       // all gaps, also those not listed
}

// MaxGaps is how many gaps a Coverage lists.
const MaxGaps = 20

// Loss sums the losses of one reason.
type Loss struct {
	Reason    string
	Source    string // what lost it: "procconn", "index"
	OfRuns    bool   // runs may be missing for it
	Events    int64  // those of unknown number left out
	Uncounted int64  // how many losses have an unknown number of events
	Hosts     int64
	From, To  time.Time
}

// Gap is a time in which no daemon looked on a host.
type Gap struct {
	Host     string
	From, To time.Time
}

// Complete says whether nothing is known to be lost.
func (c *Coverage) Complete() bool { return len(c.Losses) == 0 && c.GapCount == 0 }

// Reason is how many runs were lost for one reason.
type Reason struct {
	Reason string
	Runs   int64 // at most
}

// Reasons adds up the runs lost by reason, the most first. Losses of unknown
// number are left out.
func (c *Coverage) Reasons() []Reason {
	var all []Reason
	for _, l := range c.Losses {
		if !l.OfRuns || l.Events == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(r Reason) bool { return r.Reason == l.Reason })
		if i < 0 {
			i, all = len(all), append(all, Reason{Reason: l.Reason})
		}
		all[i].Runs += l.Events
	}
	slices.SortStableFunc(all, func(a, b Reason) int { return cmp.Compare(b.Runs, a.Runs) })
	return all
}
