package report

import (
	"context"
	"time"

	"procmon"
)

// coverage sums what was lost in a range. A loss that reaches into the range
// counts whole: when in its time the events were lost is not known.
func coverage(ctx context.Context, db Querier, since, until time.Time) (Coverage, error) {
	c := Coverage{From: since, To: until}
	s := new(statement)
	s.add(`SELECT reason, source, coalesce(sum("count"), 0), sum(coalesce("count", 0) = 0), count(DISTINCT host), min("from"), max("to")
		FROM losses WHERE "to" >= ? AND "from" < ? GROUP BY reason, source ORDER BY 3 DESC, 1, 2`, unix(since), unix(until))
	err := each(ctx, db, s, 7, func(raw []any) error {
		l := Loss{
			Reason: toText(raw[0]), Source: toText(raw[1]), Events: toInt(raw[2]), Uncounted: toInt(raw[3]),
			Hosts: toInt(raw[4]), From: moment(toFloat(raw[5])), To: moment(toFloat(raw[6])),
		}
		c.Lost += l.Events
		c.Losses = append(c.Losses, l)
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, c.gaps(ctx, db)
}

// gaps finds the times in which no daemon looked.
func (c *Coverage) gaps(ctx context.Context, db Querier) error {
	s := new(statement)
	s.add(`SELECT host, "from", "to", count(*) OVER () FROM losses WHERE reason = ? AND "to" >= ? AND "from" < ?
		ORDER BY "to" - "from" DESC, "from", host LIMIT ?`, procmon.LossStopped, unix(c.From), unix(c.To), MaxGaps)
	return each(ctx, db, s, 4, func(raw []any) error {
		c.Gaps = append(c.Gaps, Gap{toText(raw[0]), moment(toFloat(raw[1])), moment(toFloat(raw[2]))})
		c.GapCount = int(toInt(raw[3]))
		return nil
	})
}
