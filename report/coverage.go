package report

import (
	"context"
	"time"

	"procmon"
)

// coverage sums what was recorded, which a statement counts (nil: nobody can),
// and what was lost in a range. A loss that reaches into the range counts whole:
// when in its time the events were lost is not known. Losses of all hosts
// count unless some are given.
func coverage(ctx context.Context, db Querier, recorded *statement, since, until time.Time, hosts ...string) (Coverage, error) {
	c := Coverage{From: since, To: until, Recorded: -1}
	if recorded != nil {
		if err := each(ctx, db, recorded, 1, func(raw []any) error { c.Recorded = toInt(raw[0]); return nil }); err != nil {
			return c, err
		}
	}
	s := new(statement)
	s.add(`SELECT reason, source, coalesce(sum("count"), 0), sum(coalesce("count", 0) = 0), count(DISTINCT host), min("from"), max("to")
		FROM losses`)
	s.lossesIn(&c, hosts)
	s.add(` GROUP BY reason, source ORDER BY 3 DESC, 1, 2`)
	err := each(ctx, db, s, 7, func(raw []any) error {
		l := Loss{
			Reason: toText(raw[0]), Source: toText(raw[1]), Events: toInt(raw[2]), Uncounted: toInt(raw[3]),
			Hosts: toInt(raw[4]), From: moment(toFloat(raw[5])), To: moment(toFloat(raw[6])),
		}
		l.OfRuns = procmon.LosesRuns(l.Reason, l.Source)
		c.Lost += l.Events
		if l.OfRuns {
			c.LostRuns += l.Events
		}
		c.Losses = append(c.Losses, l)
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, c.gaps(ctx, db, hosts)
}

// recorded is the statement of all runs that began in a query's range, whatever
// it keeps of them.
func recorded(source string, q *Query) *statement {
	s := new(statement)
	if source == fromRuns {
		s.add(`SELECT count(*) FROM runs WHERE run_id >= ? AND run_id < ?`, micros(q.Since), micros(q.Until))
		return s
	}
	s.add(`SELECT sum(runs) FROM history`) // the smallest that has them
	s.days(q)
	return s
}

func (s *statement) lossesIn(c *Coverage, hosts []string) {
	s.add(` WHERE "to" >= ? AND "from" <= ?`, unix(c.From), unix(c.To))
	s.on(hosts)
}

// on keeps what is of some hosts; none are all.
func (s *statement) on(hosts []string) {
	for i, host := range hosts {
		s.add(map[bool]string{true: " AND host IN (?", false: ", ?"}[i == 0], host)
	}
	if len(hosts) > 0 {
		s.add(")")
	}
}

// gaps finds the times in which no daemon looked.
func (c *Coverage) gaps(ctx context.Context, db Querier, hosts []string) error {
	s := new(statement)
	s.add(`SELECT host, "from", "to", count(*) OVER () FROM losses`)
	s.lossesIn(c, hosts)
	s.add(` AND reason = ? ORDER BY "to" - "from" DESC, "from", host LIMIT ?`, procmon.LossStopped, MaxGaps)
	return each(ctx, db, s, 4, func(raw []any) error {
		c.Gaps = append(c.Gaps, Gap{toText(raw[0]), moment(toFloat(raw[1])), moment(toFloat(raw[2]))})
		c.GapCount = int(toInt(raw[3]))
		return nil
	})
}
