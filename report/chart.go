package report

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Bounds of charts.
const (
	chartBars  = 12  // applications, people, versions
	chartDays  = 93  // longer ranges are shown by month
	chartMonth = 120 // months, the newest
)

// Chart is CPU time by one dimension.
type Chart struct {
	By   Dimension // Application, Day or Month, User or Account, Version
	Of   string    // the application whose versions these are; else empty
	Bars []Bar     // the most CPU time first; days and months in their order, none left out
	More int       // how many further values there are
	Rest float64   // their CPU time in seconds
}

// Bar is one value of a chart.
type Bar struct {
	Label      any // string; nil: missing
	Missing    string
	CPUSeconds float64
	Runs       int64
}

// charts asks what the charts beside a table show, all in one statement: they
// need neither jobs nor allocations, which make a table dear.
func (t *Table) charts(ctx context.Context, db Querier) ([]Chart, error) {
	q := t.Query
	left := q.leavesOut()
	q.By, q.Compare = []Dimension{Application, t.period(), t.people(), Version}, false
	m := modeOf(db)
	source, _ := choose(&q, m)
	with, err := bring(ctx, db, relation{"charted", charted(source, &q, left, m), summedUp})
	if err != nil {
		return nil, err
	}
	charts := make([]Chart, len(q.By))
	s := new(statement)
	s.join(with)
	for i, by := range q.By {
		charts[i].By = by
		s.add(map[bool]string{true: " ", false: " UNION ALL "}[i == 0])
		s.bars(i, by)
	}
	s.add(" ORDER BY 1, 3 DESC, 4 DESC, 2")
	err = each(ctx, db, s, 6, func(raw []any) error {
		c := &charts[toInt(raw[0])]
		b := Bar{nil, dimensionColumn(c.By).Missing, toFloat(raw[2]), toInt(raw[3])}
		if raw[1] != nil {
			b.Label = toText(raw[1])
		}
		c.Bars = append(c.Bars, b)
		c.More, c.Rest = int(toInt(raw[4])), toFloat(raw[5])
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.finish(charts), nil
}

// charted selects what charts are about, not yet summed.
func charted(source string, q *Query, left bool, m mode) *statement {
	s := m.begin()
	s.add("SELECT ")
	for i, d := range q.By {
		s.add(fmt.Sprintf("%s AS d%d, ", dimensionColumns[d].sql, i))
	}
	s.add("cpu_seconds AS cpu, runs FROM (")
	s.rows(source, q)
	s.add(")")
	s.where(q)
	if left {
		s.add(" AND NOT " + leftOut)
	}
	return s
}

// summedUp is charted with as few rows as charts need.
func summedUp(charted *statement) *statement {
	s := new(statement)
	s.add("SELECT d0, d1, d2, d3, sum(cpu) AS cpu, sum(runs) AS runs FROM (")
	s.join(charted)
	s.add(") GROUP BY 1, 2, 3, 4")
	return s
}

// bars selects the bars of the chart with a number: it, the label, CPU time, runs, how many
// bars there are in all, and their CPU time.
func (s *statement) bars(chart int, by Dimension) {
	const order = " ORDER BY sum(cpu) DESC, sum(runs) DESC, d%d"
	s.add(fmt.Sprintf(`SELECT * FROM (SELECT %d, d%d, sum(cpu), sum(runs), count(*) OVER (), sum(sum(cpu)) OVER () FROM charted`, chart, chart))
	if by == Version {
		s.add(" WHERE d0 = (SELECT d0 FROM charted WHERE d0 IS NOT NULL GROUP BY 1" + fmt.Sprintf(order, 0) + " LIMIT 1)")
	}
	s.add(" GROUP BY 2" + fmt.Sprintf(order, chart))
	if by != Day && by != Month {
		s.add(" LIMIT ?", chartBars)
	}
	s.add(")")
}

// finish makes of what was read, where More and Rest are of all bars, what is shown.
func (t *Table) finish(read []Chart) []Chart {
	var charts []Chart
	for _, c := range read {
		if len(c.Bars) == 0 {
			continue
		}
		if c.By == Version {
			c.Of = firstNamed(charts[0].Bars)
		}
		if c.By == Day || c.By == Month {
			c.Bars, c.More = everyPeriod(t, c)
		} else {
			c.More -= len(c.Bars)
		}
		for _, b := range c.Bars {
			c.Rest -= b.CPUSeconds
		}
		if c.More == 0 {
			c.Rest = 0 // but for what adding up floats leaves
		}
		charts = append(charts, c)
	}
	return charts
}

// firstNamed is the first label that is not missing.
func firstNamed(bars []Bar) string {
	for _, b := range bars {
		if name, ok := b.Label.(string); ok {
			return name
		}
	}
	return ""
}

// period is by what a chart over time counts.
func (t *Table) period() Dimension {
	if t.Query.Until.Sub(t.begin()) > chartDays*24*time.Hour {
		return Month
	}
	return Day
}

// people are accounts where the table is about them or about one user.
func (t *Table) people() Dimension {
	one := slices.ContainsFunc(t.Query.Filters, func(f Filter) bool { return f.By == User && len(f.Values) == 1 })
	if one || slices.Contains(t.Query.By, Account) && !slices.Contains(t.Query.By, User) {
		return Account
	}
	return User
}

// begin is when the table's range begins, or its first run if it has no beginning.
func (t *Table) begin() time.Time {
	if first, ok := t.Total[t.column("first")].(time.Time); ok && t.Query.Since.IsZero() {
		return first
	}
	return t.Query.Since
}

// everyPeriod gives the bars of all days or months of the range, those
// without a run too, and how many older ones there is no room for.
func everyPeriod(t *Table, c Chart) (bars []Bar, more int) {
	known := map[any]Bar{}
	for _, b := range c.Bars {
		known[b.Label] = b
	}
	layout, from := time.DateOnly, midnight(t.begin())
	next := func(d time.Time) time.Time { return d.AddDate(0, 0, 1) }
	if c.By == Month {
		layout, from = "2006-01", from.AddDate(0, 0, 1-from.Day())
		next = func(d time.Time) time.Time { return d.AddDate(0, 1, 0) }
		if oldest := t.Query.Until.UTC().AddDate(0, -chartMonth, 0); from.Before(oldest) {
			from = time.Date(oldest.Year(), oldest.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	for d := from; d.Before(t.Query.Until); d = next(d) {
		b, ok := known[d.Format(layout)]
		if !ok {
			b.Label = d.Format(layout)
		}
		bars = append(bars, b)
		delete(known, b.Label)
	}
	return bars, len(known)
}
