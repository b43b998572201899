package report

import (
	"fmt"
	"time"
)

// choose finds the view that answers a query. The daily sums of usage do it
// for whole UTC days, single runs for other ranges as long as they are kept;
// then the range is widened to whole days, and the notes say so.
func choose(q *Query) (source string, notes []string) {
	source = fromUsage
	if !wholeDay(q.Since) || !wholeDay(q.Until) && q.Until.Before(q.Now) {
		source = fromRuns
	}
	if source == fromRuns && q.Since.Before(q.RunsFrom) {
		source = fromUsage
		q.widen()
		notes = append(notes, fmt.Sprintf("Single runs are kept since %s only: the range is widened to whole days (UTC).",
			q.RunsFrom.UTC().Format(time.RFC3339)))
	}
	if q.Since.Before(q.UsageFrom) {
		notes = append(notes, fmt.Sprintf("What ran before %s (UTC) is not in the index any more.", q.UsageFrom.UTC().Format(time.DateOnly)))
	}
	return source, notes
}

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
