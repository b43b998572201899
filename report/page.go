package report

import (
	"context"
	"slices"
	"time"

	"procmon"
)

// Bounds of a page, so that it opens at once however much there is.
const (
	PageRows   = 1000 // rows of its table
	chartBars  = 12   // applications, people, versions
	chartDays  = 93   // longer ranges are shown by month
	chartMonth = 120  // months, the newest
)

// Page is a table and the charts beside it, which speak of the same runs.
type Page struct {
	Table  *Table
	Charts []Chart // none when nothing was found
}

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

// SummarizePage answers a query with a table of at most PageRows rows, and asks what its charts show.
func SummarizePage(ctx context.Context, db Querier, q Query) (*Page, error) {
	if q.Limit == 0 || q.Limit > PageRows {
		q.Limit = PageRows
	}
	t, err := Summarize(ctx, db, q)
	if err != nil {
		return nil, err
	}
	p := &Page{Table: t}
	if len(t.Rows) == 0 {
		return p, nil
	}
	applications, err := p.add(ctx, db, Chart{By: Application})
	if err != nil {
		return nil, err
	}
	if _, err := p.add(ctx, db, Chart{By: t.period()}); err != nil {
		return nil, err
	}
	if _, err := p.add(ctx, db, Chart{By: t.people()}); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(applications.Bars, func(b Bar) bool { return b.Label != nil }); i >= 0 {
		_, err = p.add(ctx, db, Chart{By: Version, Of: applications.Bars[i].Label.(string)})
	}
	return p, err
}

// add asks what a chart shows.
func (p *Page) add(ctx context.Context, db Querier, c Chart) (Chart, error) {
	q := p.Table.beside(c.By, c.Of)
	t, err := Summarize(ctx, db, q)
	if err != nil {
		return c, err
	}
	label, cpu, runs := len(t.Query.By)-1, t.place("cpu_seconds"), t.place("runs")
	for _, row := range t.Rows {
		c.Bars = append(c.Bars, Bar{row[label], t.Columns[label].Missing, toFloat(row[cpu]), toInt(row[runs])})
	}
	if q.Limit == 0 {
		c.Bars, c.More = everyPeriod(t, c)
	} else {
		c.More = t.RowCount - len(t.Rows)
	}
	c.Rest = toFloat(t.Total[cpu])
	for _, b := range c.Bars {
		c.Rest -= b.CPUSeconds
	}
	if c.More == 0 {
		c.Rest = 0
	}
	if len(c.Bars) > 0 {
		p.Charts = append(p.Charts, c)
	}
	return c, nil
}

// beside is the query of the same runs by another dimension.
func (t *Table) beside(by Dimension, of string) Query {
	q := t.Query
	left := q.leavesOut()
	q.Filters = slices.Clone(q.Filters)
	if of != "" {
		q.Filters = append(q.Filters, Filter{Application, []string{of}})
	}
	if left {
		var kept []string
		for _, k := range procmon.AppKinds {
			if k != procmon.KindLauncher && k != procmon.KindShell && k != procmon.KindSystem {
				kept = append(kept, string(k))
			}
		}
		q.Filters = append(q.Filters, Filter{Kind, kept})
	}
	q.By, q.All, q.Sort, q.Limit = []Dimension{by}, true, "", chartBars
	if by == Day || by == Month {
		q.Limit = 0
	}
	return q
}

// place is where the column of a name stands, -1 for nowhere.
func (t *Table) place(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
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
	if first, ok := t.Total[t.place("first")].(time.Time); ok && t.Query.Since.IsZero() {
		return first
	}
	return t.Query.Since
}

func (t *Table) period() Dimension {
	if t.Query.Until.Sub(t.begin()) > chartDays*24*time.Hour {
		return Month
	}
	return Day
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
