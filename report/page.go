package report

import "context"

// PageRows are the rows that the table of a page has at most, so that it opens at once however much there is.
const PageRows = 1000

// Page is a table and the charts beside it, which speak of the same runs.
type Page struct {
	Table  *Table
	Charts []Chart // none when nothing was found
}

// SummarizePage answers a query with a table of at most PageRows rows, and asks what its charts show.
// Table and charts speak of one moment if db does: a transaction. Several indexes that are being
// written may tell some runs more in the charts.
func SummarizePage(ctx context.Context, db Querier, q Query) (*Page, error) {
	if q.Limit == 0 || q.Limit > PageRows {
		q.Limit = PageRows
	}
	t, err := Summarize(ctx, db, q)
	if err != nil {
		return nil, err
	}
	p := &Page{Table: t}
	if len(t.Rows) > 0 {
		p.Charts, err = t.charts(ctx, db)
	}
	return p, err
}
