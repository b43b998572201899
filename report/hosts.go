package report

import (
	"context"
	"time"

	"procmon"
)

// CoverageReport is what was seen and what was not, by host and by day.
type CoverageReport struct {
	Hosts    Grid
	Days     Grid // UTC; a loss counts on the day it began
	Coverage Coverage
	Notes    []string
}

var seenColumns = []Column{
	{Name: "runs", Title: "Runs", Unit: Count, Rank: 1}, {Name: "lost_events", Title: "Lost events", Unit: Count, Rank: 1},
	{Name: "uncounted", Title: "Uncounted", Unit: Count, Rank: 4},
	{Name: "gaps", Title: "Gaps", Unit: Count, Rank: 1}, {Name: "gap_seconds", Title: "Nobody looked", Unit: Seconds, Rank: 1},
}

var hostColumns = append([]Column{
	{Name: "host", Title: "Host", Missing: "(unknown)"},
	{Name: "first", Title: "First run", Unit: Time, Missing: "-", Rank: 2}, {Name: "last", Title: "Last run", Unit: Time, Missing: "-", Rank: 2},
}, seenColumns...)

var dayColumns = append([]Column{
	{Name: "day", Title: "Day (UTC)", Missing: "(unknown)"}, {Name: "hosts", Title: "Hosts", Unit: Count, Rank: 2},
}, seenColumns...)

// SummarizeCoverage tells for each host and each day what was seen of it in a range and
// what is known to be lost. Ranges are rounded outwards to whole UTC days for
// runs; losses and gaps are those that reach into the range.
func SummarizeCoverage(ctx context.Context, db Querier, since, until, now time.Time) (*CoverageReport, error) {
	q, err := Query{Since: since, Until: until, Now: now}.normal()
	if err != nil {
		return nil, err
	}
	q.widen()
	r := &CoverageReport{Hosts: Grid{Columns: hostColumns}, Days: Grid{Columns: dayColumns}}
	if r.Coverage, err = coverage(ctx, db, recorded(fromUsage, &q), q.Since, q.Until); err != nil {
		return nil, err
	}
	daily, lost := new(statement), new(statement)
	daily.add(`SELECT day, host, min("first") AS "first", max("last") AS "last", sum(runs) AS runs FROM usage`)
	daily.days(&q)
	daily.add(` GROUP BY 1, 2`)
	lost.add(`SELECT date("from", 'unixepoch') AS day, host, "count" AS events, coalesce("count", 0) = 0 AND reason <> ? AS uncounted, reason = ? AS gap,
		CASE WHEN reason = ? THEN "to" - "from" END AS gone FROM losses`, procmon.LossStopped, procmon.LossStopped, procmon.LossStopped)
	lost.lossesIn(&r.Coverage, nil)
	with, err := bring(ctx, db, relation{"daily", daily, nil}, relation{"lost", lost, nil})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		by      string
		columns string
		into    *Grid
	}{
		{"host", `min("first"), max("last")`, &r.Hosts},
		{"day", `count(DISTINCT CASE WHEN runs > 0 THEN host END)`, &r.Days},
	} {
		s := new(statement)
		s.join(with)
		s.add(` SELECT ` + part.by + `, ` + part.columns + `, coalesce(sum(runs), 0), coalesce(sum(events), 0), coalesce(sum(uncounted), 0),
			coalesce(sum(gap), 0), coalesce(sum(gone), 0.0) FROM (
			SELECT day, host, "first", "last", runs, NULL AS events, NULL AS uncounted, NULL AS gap, NULL AS gone FROM daily
			UNION ALL SELECT day, host, NULL, NULL, NULL, events, uncounted, gap, gone FROM lost)
			GROUP BY 1 ORDER BY 1`)
		if err := each(ctx, db, s, len(part.into.Columns), part.into.take); err != nil {
			return nil, err
		}
	}
	return r, nil
}
