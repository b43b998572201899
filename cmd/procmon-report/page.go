package main

import (
	"context"

	"procmon/report"
	"procmon/report/render"
)

// summarize asks for a table, and for charts where the format has them.
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
