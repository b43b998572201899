package report

import (
	"fmt"
	"slices"
	"time"
)

// choose finds the view that answers a query: the smallest that has its
// dimensions. Daily sums do it for whole UTC days, single runs for other ranges as long as
// they are kept; then the range is widened to whole days, and the notes say so.
func choose(q *Query, m mode) (source string, notes []string) {
	asked := slices.Concat(q.By, filtered(q.Filters))
	source = fromHistory
	if q.only != nil || slices.ContainsFunc(asked, func(d Dimension) bool { return !slices.Contains(historyDimensions, d) }) {
		source = fromUsage
	} else if len(q.By) > 0 && !m.several && !m.mixed && !q.Who && !q.Allocated && !slices.ContainsFunc(asked, func(d Dimension) bool { return !slices.Contains(totalDimensions, d) }) {
		source = fromTotals
	}
	daily, oldest := source, q.Since
	if q.Compare {
		oldest = q.earlier().Since
	}
	if !wholeDay(q.Since) || !wholeDay(q.Until) && q.Until.Before(q.Now) {
		source = fromRuns
	}
	switch {
	case slices.Contains(asked, Exit):
		source = fromRuns
		if oldest.Before(q.RunsFrom) {
			notes = append(notes, fmt.Sprintf("How runs ended is known of single runs only, which are kept since %s.", q.RunsFrom.UTC().Format(time.RFC3339)))
		}
	case source == fromRuns && oldest.Before(q.RunsFrom):
		source = daily
		q.widen()
		notes = append(notes, fmt.Sprintf("Single runs are kept since %s only: the range is widened to whole days (UTC).",
			q.RunsFrom.UTC().Format(time.RFC3339)))
	}
	if oldest.Before(q.UsageFrom) {
		notes = append(notes, fmt.Sprintf("What ran before %s (UTC) is not in the index any more.", q.UsageFrom.UTC().Format(time.DateOnly)))
	}
	q.numbered = source == fromTotals
	return source, notes
}

// totalDimensions are those of the views totals and used. Numbers of jobs and
// users are of one index.
var totalDimensions = []Dimension{Application, Version, Kind, Day, Month}

// historyDimensions are those of the view history.
var historyDimensions = []Dimension{Application, Version, Kind, User, Account, Partition, Cluster, Day, Month}

// widen makes a range whole UTC days.
func (q *Query) widen() {
	q.Since = midnight(q.Since)
	if q.Until.Before(q.Now) && !wholeDay(q.Until) {
		q.Until = midnight(q.Until).AddDate(0, 0, 1)
	}
}

func midnight(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// wholeDay says whether a UTC day begins at t.
func wholeDay(t time.Time) bool { return t.Equal(midnight(t)) }
