package report

import (
	"context"
	"time"

	"procmon"
)

// CoverageReport is what was seen and what was not, by host.
type CoverageReport struct {
	Hosts    Grid
	Coverage Coverage
	Notes    []string
}

var hostColumns = []Column{
	{Name: "host", Title: "Host", Missing: "(unknown)"},
	{Name: "first", Title: "First run", Unit: Time, Missing: "-", Rank: 2}, {Name: "last", Title: "Last run", Unit: Time, Missing: "-", Rank: 2},
	{Name: "runs", Title: "Runs", Unit: Count, Rank: 1}, {Name: "lost_events", Title: "Lost events", Unit: Count, Rank: 1},
	{Name: "uncounted", Title: "Uncounted", Unit: Count, Rank: 4},
	{Name: "gaps", Title: "Gaps", Unit: Count, Rank: 1}, {Name: "gap_seconds", Title: "Nobody looked", Unit: Seconds, Rank: 1},
}

// SummarizeCoverage tells for each host what was seen of it in a range and
// what is known to be lost. Ranges are rounded outwards to whole UTC days for
// runs; losses and gaps are those that reach into the range.
func SummarizeCoverage(ctx context.Context, db Querier, since, until, now time.Time) (*CoverageReport, error) {
	q, err := Query{Since: since, Until: until, Now: now}.normal()
	if err != nil {
		return nil, err
	}
	q.widen()
	r := &CoverageReport{Hosts: Grid{Columns: hostColumns}}
	if r.Coverage, err = coverage(ctx, db, recorded(fromUsage, &q), q.Since, q.Until); err != nil {
		return nil, err
	}
	s := new(statement)
	s.add(`SELECT host, min("first"), max("last"), coalesce(sum(runs), 0), coalesce(sum(lost), 0), coalesce(sum(uncounted), 0),
		coalesce(sum(gap), 0), coalesce(sum(gone), 0.0)
		FROM (SELECT host, "first", "last", runs, NULL AS lost, NULL AS uncounted, NULL AS gap, NULL AS gone FROM usage`)
	s.days(&q)
	s.add(` UNION ALL SELECT host, NULL, NULL, NULL, "count", coalesce("count", 0) = 0 AND reason <> ?, reason = ?,
		CASE WHEN reason = ? THEN "to" - "from" END FROM losses`, procmon.LossStopped, procmon.LossStopped, procmon.LossStopped)
	s.lossesIn(&r.Coverage, nil)
	s.add(`) GROUP BY host ORDER BY host`)
	return r, each(ctx, db, s, len(hostColumns), r.Hosts.take)
}
