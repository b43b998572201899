package render

import (
	"fmt"
	"strings"
	"time"

	"procmon/report"
)

// Sizes of a timeline, and how many runs it shows.
const (
	timelineRuns  = 200
	timelineWidth = 1000.0
	timelineLeft  = 220.0
	timelinePitch = 16.0
	timelineTop   = 22.0
)

// timeline draws the runs of a job, in the order of their tree, from their
// starts to their ends; what goes on ends now.
func (p *printer) timeline(g *report.Grid, now time.Time) *drawing {
	place := map[string]int{}
	for i, c := range g.Columns {
		place[c.Name] = i
	}
	rows := g.Rows[:min(len(g.Rows), timelineRuns)]
	from, to := time.Time{}, time.Time{}
	for _, row := range rows {
		start, end := runSpan(row, place, now)
		if from.IsZero() || start.Before(from) {
			from = start
		}
		if end.After(to) {
			to = end
		}
	}
	d := &drawing{Title: "Timeline", Width: int(timelineWidth), Height: int(timelineTop + float64(len(rows))*timelinePitch)}
	if len(rows) < len(g.Rows) {
		d.Title = fmt.Sprintf("Timeline of the first %d of %d runs", len(rows), len(g.Rows))
	}
	span := max(to.Sub(from), time.Millisecond)
	x := func(t time.Time) float64 {
		return timelineLeft + (timelineWidth-timelineLeft)*float64(t.Sub(from))/float64(span)
	}
	d.ticks(from, span, p.where)
	for i, row := range rows {
		value := func(name string) any { return row[place[name]] }
		start, end := runSpan(row, place, now)
		y := timelineTop + float64(i)*timelinePitch
		name, ended := p.program(value), exitText(value)
		depth, _ := value("depth").(int64)
		class := runClass(value)
		what := fmt.Sprintf("%s, %s to %s, %s", name, second(start, p.where), second(end, p.where), ended)
		d.Bars = append(d.Bars, box{at(x(start)), at(y + 2), at(max(1, x(end)-x(start))), at(timelinePitch - 4), class, what})
		mark := map[string]string{"bad": "✗ ", "open": "… "}[class]
		d.Texts = append(d.Texts, label{at(4 + 8*float64(min(depth, deepest))), at(y + 12), "start", mark + cut(name, 30-int(min(depth, deepest)))})
	}
	d.Summary = strings.TrimSpace(fmt.Sprintf("%s from %s to %s; the table below has the same runs.", d.Title, second(from, p.where), second(to, p.where)))
	return d
}

func runSpan(row []any, place map[string]int, now time.Time) (start, end time.Time) {
	start, _ = row[place["start"]].(time.Time)
	end, ok := row[place["end"]].(time.Time)
	if !ok {
		end = now
	}
	if end.Before(start) {
		end = start
	}
	return start, end
}

// runClass is how a run's bar looks: the mark before its name says the same
// to those who can't tell the colours.
func runClass(value func(string) any) string {
	switch code, _ := value("exit_code").(int64); {
	case code != 0 || value("exit_signal") != nil:
		return "bad"
	case value("end") == nil:
		return "open"
	}
	return "bar"
}

// ticks draws lines at five times.
func (d *drawing) ticks(from time.Time, span time.Duration, where *time.Location) {
	layout := "15:04:05"
	if span > 24*time.Hour {
		layout = "01-02 15:04"
	}
	const ticks = 5
	for i := range ticks + 1 {
		share := float64(i) / ticks
		x := timelineLeft + (timelineWidth-timelineLeft)*share
		anchor := map[int]string{0: "start", ticks: "end"}[i]
		if anchor == "" {
			anchor = "middle"
		}
		when := from.Add(time.Duration(share * float64(span))).In(where).Format(layout)
		d.Lines = append(d.Lines, line{at(x), "16", at(x), at(float64(d.Height))})
		d.Texts = append(d.Texts, label{at(x), "12", anchor, when})
	}
}
