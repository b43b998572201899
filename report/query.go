package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"procmon"
)

// ErrQuery is a query that makes no sense: an empty range, a negative limit.
var ErrQuery = errors.New("query makes no sense")

// Dimension is something to group or filter by. Its value is its name in
// JSON, CSV and --by lists.
type Dimension string

// The dimensions.
const (
	Application Dimension = "application"
	Version     Dimension = "version" // always together with Application
	User        Dimension = "user"
	Account     Dimension = "account"
	Job         Dimension = "job" // the id as users say it: "4_5"
	Step        Dimension = "step"
	Partition   Dimension = "partition" // or queue
	Host        Dimension = "host"
	Cluster     Dimension = "cluster"
	Executable  Dimension = "executable"
	Kind        Dimension = "kind"
	Exit        Dimension = "exit"  // "0", "1", "signal 11", "running"; of single runs only
	Day         Dimension = "day"   // UTC, "2006-01-02"
	Month       Dimension = "month" // UTC, "2006-01"
)

// Dimensions lists every dimension, in the order of the help text.
var Dimensions = []Dimension{
	Application, Version, User, Account, Job, Step, Partition, Host, Cluster, Executable, Kind, Exit, Day, Month,
}

// ParseDimension finds a dimension by its name; otherwise the error is an
// *UnknownError.
func ParseDimension(name string) (Dimension, error) {
	d := Dimension(strings.ToLower(strings.TrimSpace(name)))
	if slices.Contains(Dimensions, d) {
		return d, nil
	}
	return "", unknown("dimension", name, Dimensions)
}

// Filter keeps the runs whose dimension has one of the values. Several
// filters of one query must all hold.
type Filter struct {
	By Dimension
	// Values are compared as they are, applications without regard to ASCII
	// case. A job matches by the id that users say, by its raw id, and by the
	// id of its array or heterogeneous job: "4" finds "4_5" and "4+1". What is
	// shown for a missing value, such as "(unknown)", finds the missing ones.
	Values []string
}

// Query is a question for Summarize.
type Query struct {
	// By are the dimensions to group by, in the order of the columns; none
	// gives one row for everything. Version brings Application with it.
	By      []Dimension
	Filters []Filter

	Since time.Time // first moment that counts; zero: from the beginning
	Until time.Time // first moment that counts no more; zero: Now

	// Sort is the name of a column, "-" before it reverses its order: numbers
	// and times go from the greatest, text from A. Empty: the most CPU time first, days and months in their order.
	Sort  string
	Limit int // number of rows, 0: all

	// All keeps launchers, shells and system programs in a report by
	// application, which leaves them out unless a filter asks for a kind or an application.
	All bool

	// Compare adds the CPU time of the period before, which is as long, and the
	// rows that only that one has.
	Compare bool

	Who bool // name the users of each row

	// Allocated adds the core and GPU time that jobs were allocated, which takes
	// longer than all the rest. Sorting by it implies it.
	Allocated bool

	Now time.Time // the time of asking

	// What the index has: single runs that started before RunsFrom and daily
	// sums before UsageFrom were pruned; zero: nothing was.
	RunsFrom, UsageFrom time.Time

	only *jobKey // nil: all jobs
	bare bool    // nobody asks for its coverage, and what its allocation is in all

	numbered bool // jobs and users are counted apart, see numbers
}

// normal is the query with everything implied written out.
func (q Query) normal() (Query, error) {
	q.By = slices.Clone(q.By)
	if i := slices.Index(q.By, Version); i >= 0 && !slices.Contains(q.By, Application) {
		q.By = slices.Insert(q.By, i, Application)
	}
	q.By = dedupe(q.By)
	q.Allocated = q.Allocated || strings.HasPrefix(strings.TrimPrefix(q.Sort, "-"), "allocated_")
	if q.Until.IsZero() || q.Until.After(q.Now) {
		q.Until = q.Now
	}
	switch {
	case q.Now.IsZero():
		return q, fmt.Errorf("%w: the time of asking is missing", ErrQuery)
	case !q.Since.Before(q.Until):
		return q, fmt.Errorf("%w: the range begins at %s and ends at %s",
			ErrQuery, q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	case q.Compare && q.Since.IsZero():
		return q, fmt.Errorf("%w: without a beginning there is nothing before to compare with", ErrQuery)
	case q.Compare && (slices.Contains(q.By, Day) || slices.Contains(q.By, Month)):
		return q, fmt.Errorf("%w: the period before has other days and months, so rows of them cannot be compared", ErrQuery)
	case q.Limit < 0:
		return q, fmt.Errorf("%w: limit %d is below 0", ErrQuery, q.Limit)
	}
	for _, d := range append(slices.Clone(q.By), filtered(q.Filters)...) {
		if !slices.Contains(Dimensions, d) {
			return q, unknown("dimension", string(d), Dimensions)
		}
	}
	return q, q.checkKinds()
}

// checkKinds finds kinds that no program can have.
func (q *Query) checkKinds() error {
	for _, f := range q.Filters {
		for _, kind := range f.Values {
			if f.By == Kind && !slices.Contains(procmon.AppKinds, procmon.AppKind(kind)) {
				return unknown("kind", kind, procmon.AppKinds)
			}
		}
	}
	return nil
}

// byApplication says whether rows are applications.
func (q *Query) byApplication() bool { return slices.Contains(q.By, Application) }

// leavesOut says whether launchers, shells and system programs don't count.
func (q *Query) leavesOut() bool {
	f := filtered(q.Filters)
	return !q.All && q.byApplication() &&
		!slices.Contains(f, Kind) && !slices.Contains(f, Application) && !slices.Contains(f, Executable)
}

func filtered(filters []Filter) []Dimension {
	var by []Dimension
	for _, f := range filters {
		by = append(by, f.By)
	}
	return by
}

func dedupe[T comparable](in []T) []T {
	var out []T
	for _, v := range in {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// earlier is the query of the period before, which is as long: as many days
// where the range is whole days.
func (q *Query) earlier() Query {
	e := *q
	e.Until = q.Since
	span := q.Until.Sub(q.Since)
	if wholeDay(q.Since) {
		const day = secondsADay * time.Second
		span = (span + day - 1).Truncate(day)
	}
	e.Since = q.Since.Add(-span)
	return e
}
