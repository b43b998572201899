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
	if recorded == nil {
		recorded = new(statement)
		recorded.add("SELECT -1 AS runs")
	}
	lost := new(statement)
	lost.add(`SELECT host, "from", "to", reason, source, "count" FROM losses`)
	lost.lossesIn(&c, hosts)
	with, err := bring(ctx, db, relation{"recorded", recorded, nil}, relation{"lost", lost, nil})
	if err != nil {
		return c, err
	}
	s := new(statement)
	s.join(with)
	s.add(" SELECT CASE WHEN min(runs) < 0 THEN -1 ELSE coalesce(sum(runs), 0) END FROM recorded")
	if err := each(ctx, db, s, 1, func(raw []any) error { c.Recorded = toInt(raw[0]); return nil }); err != nil {
		return c, err
	}
	s = new(statement)
	s.join(with)
	s.add(` SELECT reason, source, coalesce(sum("count"), 0), sum(coalesce("count", 0) = 0), count(DISTINCT host), min("from"), max("to")
		FROM lost GROUP BY reason, source ORDER BY 3 DESC, 1, 2`)
	err = each(ctx, db, s, 7, func(raw []any) error {
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
	return c, c.gaps(ctx, db, with)
}

// recorded is the statement of all runs that began in a query's range, whatever
// it keeps of them.
func recorded(source string, q *Query) *statement {
	s := new(statement)
	if source == fromRuns {
		s.add(`SELECT count(*) AS runs FROM runs WHERE run_id >= ? AND run_id < ?`, micros(q.Since), micros(q.Until))
		return s
	}
	s.add(`SELECT coalesce(sum(runs), 0) AS runs FROM totals`) // the smallest that has them
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
func (c *Coverage) gaps(ctx context.Context, db Querier, with *statement) error {
	s := new(statement)
	s.join(with)
	s.add(` SELECT host, "from", "to", count(*) OVER () FROM lost WHERE reason = ? ORDER BY "to" - "from" DESC, "from", host LIMIT ?`,
		procmon.LossStopped, MaxGaps)
	return each(ctx, db, s, 4, func(raw []any) error {
		c.Gaps = append(c.Gaps, Gap{toText(raw[0]), moment(toFloat(raw[1])), moment(toFloat(raw[2]))})
		c.GapCount = int(toInt(raw[3]))
		return nil
	})
}
