package render

import (
	"fmt"
	"math"

	"procmon/report"
)

// drawing is a chart as the template draws it, in units of its own; a reader who can't
// see it has its table.
type drawing struct {
	Title, Summary string
	Width, Height  int
	Lines          []line
	Bars           []box
	Texts          []label
	Table          *sheet
}

type line struct{ X1, Y1, X2, Y2 string }

type box struct{ X, Y, W, H, Class, Title string }

type label struct{ X, Y, Anchor, Text string }

// at writes a place in a drawing.
func at(v float64) string { return fmt.Sprintf("%.1f", v) }

// Sizes of charts.
const (
	chartWidth  = 560.0
	labelWidth  = 170.0
	valueWidth  = 70.0
	barPitch    = 22.0
	columnsHigh = 150.0
)

// chart draws CPU time by one dimension.
func (p *printer) chart(c *report.Chart) drawing {
	d := drawing{Title: "CPU time by " + string(c.By)}
	if c.Of != "" {
		d.Title = "CPU time of " + harmless(c.Of) + " by version"
	}
	if c.By == report.Day || c.By == report.Month {
		d.Title += " (UTC)"
		d.columns(c)
	} else {
		d.rows(c)
	}
	d.Table = chartSheet("chart-"+string(c.By), d.Title, c)
	return d
}

func barLabel(b *report.Bar) string {
	if s, ok := b.Label.(string); ok {
		return harmless(s)
	}
	return b.Missing
}

// rows draws a bar a line, the last one for all the others.
func (d *drawing) rows(c *report.Chart) {
	bars := c.Bars
	if c.More > 0 {
		bars = append(bars[:len(bars):len(bars)], report.Bar{Label: fmt.Sprintf("%d more", c.More), CPUSeconds: c.Rest})
	}
	most := 0.0
	for _, b := range bars {
		most = max(most, b.CPUSeconds)
	}
	scale := (chartWidth - labelWidth - valueWidth) / max(most, 1e-9)
	for i := range bars {
		b, y := &bars[i], float64(i)*barPitch
		class := "bar"
		if i == len(c.Bars) {
			class = "rest"
		}
		w := b.CPUSeconds * scale
		d.Bars = append(d.Bars, box{at(labelWidth), at(y + 3), at(w), at(barPitch - 6), class, barLabel(b) + ": " + seconds(b.CPUSeconds)})
		d.Texts = append(d.Texts,
			label{at(labelWidth - 6), at(y + 15), "end", cut(barLabel(b), 24)},
			label{at(labelWidth + w + 5), at(y + 15), "start", seconds(b.CPUSeconds)})
	}
	d.Width, d.Height = int(chartWidth), int(float64(len(bars))*barPitch)
	d.Summary = fmt.Sprintf("%s: %s, the most for %s with %s.", d.Title, number(int64(len(c.Bars)), "bar"), barLabel(&c.Bars[0]), seconds(c.Bars[0].CPUSeconds))
}

// columns draws time from left to right.
func (d *drawing) columns(c *report.Chart) {
	const left, top, foot, labelRoom = 70.0, 10.0, 24.0, 66.0
	top1 := 0
	for i := range c.Bars {
		if c.Bars[i].CPUSeconds > c.Bars[top1].CPUSeconds {
			top1 = i
		}
	}
	most := c.Bars[top1].CPUSeconds
	step := (chartWidth - left) / float64(len(c.Bars))
	for _, share := range []float64{0, 0.5, 1} {
		y := top + columnsHigh*(1-share)
		d.Lines = append(d.Lines, line{at(left), at(y), at(chartWidth), at(y)})
		d.Texts = append(d.Texts, label{at(left - 6), at(y + 4), "end", seconds(most * share)})
	}
	every := int(math.Ceil(float64(len(c.Bars)) / 6)) // as many labels as there is room for
	for i := range c.Bars {
		b, x := &c.Bars[i], left+float64(i)*step
		h := columnsHigh * b.CPUSeconds / max(most, 1e-9)
		if h > 0 {
			d.Bars = append(d.Bars, box{at(x + step*0.1), at(top + columnsHigh - h), at(step * 0.8), at(h), "bar", barLabel(b) + ": " + seconds(b.CPUSeconds)})
		}
		if i%every == 0 && x < chartWidth-labelRoom {
			d.Texts = append(d.Texts, label{at(x + step*0.1), at(top + columnsHigh + 16), "start", barLabel(b)})
		}
	}
	d.Width, d.Height = int(chartWidth), int(top+columnsHigh+foot)
	d.Summary = fmt.Sprintf("%s: from %s to %s, the most in %s with %s.", d.Title, barLabel(&c.Bars[0]), barLabel(&c.Bars[len(c.Bars)-1]),
		barLabel(&c.Bars[top1]), seconds(most))
}

// chartSheet is what a chart shows, as a table.
func chartSheet(id, caption string, c *report.Chart) *sheet {
	s := &sheet{ID: id, Caption: caption, Class: "aside", Columns: []heading{
		{Name: string(c.By), Title: string(c.By)}, {Name: "cpu_seconds", Title: "CPU", Number: true}, {Name: "runs", Title: "Runs", Number: true},
	}}
	add := func(name string, cpu float64, runs string) {
		s.Rows = append(s.Rows, []entry{{Text: name}, {Text: seconds(cpu), Number: true}, {Text: runs, Number: true}})
	}
	for i := range c.Bars {
		if b := &c.Bars[i]; b.Runs > 0 || b.CPUSeconds > 0 {
			add(barLabel(b), b.CPUSeconds, fmt.Sprint(b.Runs))
		}
	}
	if c.More > 0 {
		add(fmt.Sprintf("%d more", c.More), c.Rest, "")
	}
	return s
}
