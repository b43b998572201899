package main

import (
	"context"
	"fmt"
	"slices"

	"procmon/report"
	"procmon/report/render"
)

// ask answers a query, with notes on what its reader may not expect: ranged says
// whether the range was chosen. There are charts where the format has them.
func ask(ctx context.Context, s *holdings, q report.Query, ranged bool, o render.Options) (*report.Page, error) {
	info, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	q.RunsFrom, q.UsageFrom = info.RunsFrom, info.UsageFrom
	page, err := summarize(ctx, s.db, q, o.Format)
	if err != nil {
		return nil, err
	}
	t := page.Table
	if !ranged {
		t.Notes = slices.Insert(t.Notes, 0, fmt.Sprintf("No range was given: these are the last %d days.", defaultDays))
	}
	if since := t.Query.Since; len(t.Rows) > 0 && since.Before(lastDays(info.First, 1)) {
		t.Notes = append(t.Notes, "The first run in the index began "+info.First.In(o.Location).Format("2006-01-02 15:04 MST")+".")
	}
	if len(t.Rows) == 0 {
		t.Notes = slices.Insert(t.Notes, 0, nothing(&info, &t.Query))
	}
	t.Notes = append(t.Notes, s.partly()...)
	return page, nil
}

func summarize(ctx context.Context, db report.Querier, q report.Query, format render.Format) (*report.Page, error) {
	if format == render.HTML {
		return report.SummarizePage(ctx, db, q)
	}
	t, err := report.Summarize(ctx, db, q)
	return &report.Page{Table: t}, err
}

// writePage shows a table, with its charts where the format has them.
func writePage(out *output, page *report.Page) error {
	if out.options.Format == render.HTML {
		return render.Page(out, page, out.options)
	}
	return render.Write(out, page.Table, out.options)
}
