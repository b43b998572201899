package report

import (
	"context"
	"fmt"
	"time"
)

// kept says from when on each view has everything that there was.
type kept struct {
	usage, runs time.Time // zero: the view is empty
}

// choose finds the view that answers a query. The daily sums of usage do it
// for whole UTC days, single runs for other ranges as long as they are kept;
// then the range is widened to whole days, and the notes say so.
func choose(ctx context.Context, db Querier, q *Query) (source string, notes []string, err error) {
	k, err := oldest(ctx, db)
	if err != nil {
		return "", nil, err
	}
	whole := wholeDay(q.Since) && (wholeDay(q.Until) || !q.Until.Before(q.Now))
	if !whole && !k.runs.IsZero() && (!k.runs.After(q.Since) || !k.usage.Before(midnight(k.runs))) {
		return fromRuns, nil, nil
	}
	if !whole {
		q.widen()
		notes = append(notes, fmt.Sprintf("Single runs are kept since %s only: the range is widened to whole days, UTC.",
			k.runs.Format(time.DateOnly)))
	}
	return fromUsage, notes, nil
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

// oldest asks each view for its oldest entry.
func oldest(ctx context.Context, db Querier) (k kept, err error) {
	s := new(statement)
	s.add(`SELECT (SELECT epoch_day FROM usage ORDER BY epoch_day LIMIT 1) * ?, (SELECT run_id FROM runs ORDER BY run_id LIMIT 1) / 1e6`, secondsADay)
	err = each(ctx, db, s, 2, func(raw []any) error {
		for i, t := range []*time.Time{&k.usage, &k.runs} {
			if raw[i] != nil {
				*t = moment(toFloat(raw[i]))
			}
		}
		return nil
	})
	return k, err
}
