package render

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"procmon"
	"procmon/report"
)

// coverage says in a line how much of a time was seen, and what is known not to
// have been, on some hosts.
func (p *printer) coverage(c *report.Coverage, where string) {
	p.paragraph(p.seen(c, where))
	if other := otherLosses(c); other != "" {
		p.paragraph("Also lost, with no run missing here: " + other + ".")
	}
}

// seen is that line. It says 100 % when nothing is known to be lost, and only then.
func (p *printer) seen(c *report.Coverage, where string) string {
	lost, unknown := lostRuns(c), p.unknownRuns(c)
	span := fmt.Sprintf("seen%s between %s and %s %s", where, minute(c.From, p.where), minute(c.To, p.where), c.To.In(p.where).Format("MST"))
	if c.From.IsZero() {
		span = fmt.Sprintf("seen%s until %s %s", where, minute(c.To, p.where), c.To.In(p.where).Format("MST"))
	}
	head := percent(c.Recorded, c.LostRuns) + " % of runs " + span
	switch {
	case c.Recorded < 0 || c.Recorded > 0 && lost == "" && unknown != "": // no share can be told
		head = "Runs " + span
	case c.Recorded+c.LostRuns == 0:
		head = "No run " + span
	}
	switch {
	case lost != "" && unknown != "":
		return head + "; " + lost + "; and an unknown number " + unknown + "."
	case lost != "":
		return head + "; " + lost + "."
	case unknown != "":
		return head + "; lost: an unknown number " + unknown + "."
	}
	return head + "; none known to be lost."
}

// lostRuns is what was counted, empty for nothing: "12 lost: ring full 10, vanished 2".
func lostRuns(c *report.Coverage) string {
	reasons := c.Reasons()
	if len(reasons) == 0 {
		return ""
	}
	var parts []string
	for _, r := range reasons {
		part := harmless(r.Reason)
		if len(reasons) > 1 {
			part += fmt.Sprintf(" %d", r.Runs)
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%d lost: %s", c.LostRuns, strings.Join(parts, ", "))
}

// fewGaps is how many gaps a line tells of singly.
const fewGaps = 3

// unknownRuns says when and why runs were lost that nobody could count, empty for never.
func (p *printer) unknownRuns(c *report.Coverage) string {
	var parts []string
	switch {
	case c.GapCount > fewGaps && len(c.Gaps) > 0:
		parts = append(parts, fmt.Sprintf("while nobody looked, %d times, the longest %s", c.GapCount, p.gap(&c.Gaps[0])))
	case c.GapCount > 0:
		var gaps []string
		for i := range c.Gaps {
			gaps = append(gaps, p.gap(&c.Gaps[i]))
		}
		parts = append(parts, "while nobody looked "+strings.Join(gaps, ", "))
	}
	var reasons []string
	for _, l := range c.Losses {
		if l.OfRuns && l.Uncounted > 0 && l.Reason != procmon.LossStopped {
			reasons = append(reasons, harmless(l.Reason))
		}
	}
	if len(reasons) > 0 {
		parts = append(parts, "by "+strings.Join(reasons, ", "))
	}
	return strings.Join(parts, " and ")
}

// gap is a host and a time: "on n2 2026-11-21 10:00–10:05".
func (p *printer) gap(g *report.Gap) string {
	from, to := g.From.In(p.where), g.To.In(p.where)
	end := "15:04"
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		end = "2006-01-02 15:04"
	}
	if to.Sub(from) < 2*time.Minute {
		return fmt.Sprintf("on %s %s–%s", harmless(g.Host), second(from, p.where), to.Format(end+":05"))
	}
	return fmt.Sprintf("on %s %s–%s", harmless(g.Host), minute(from, p.where), to.Format(end))
}

// otherLosses lists what was lost and is no run, empty for nothing.
func otherLosses(c *report.Coverage) string {
	var parts []string
	for _, l := range c.Losses {
		if l.OfRuns {
			continue
		}
		count := "an unknown number"
		if l.Events > 0 {
			count = fmt.Sprint(l.Events)
		}
		parts = append(parts, fmt.Sprintf("%s %s (%s)", harmless(l.Reason), count, harmless(l.Source)))
	}
	return strings.Join(parts, ", ")
}

// percent is the share of runs that were recorded, rounded down, with as many
// digits as it takes to tell it from 100, one at least. It is 100 when none was lost.
func percent(recorded, lost int64) string {
	if lost <= 0 {
		return "100"
	}
	const most = 15 // digits that an uint64 can hold here
	total, units := uint64(max(0, recorded)+lost), uint64(1000)
	digits := 1
	for high, low := bits.Mul64(uint64(lost), units); high == 0 && low < total && digits < most; high, low = bits.Mul64(uint64(lost), units) {
		digits, units = digits+1, units*10
	}
	high, low := bits.Mul64(uint64(max(0, recorded)), units)
	share, _ := bits.Div64(high, low, total)
	text := fmt.Sprintf("%0*d", digits+1, share)
	return strings.TrimSuffix(text[:len(text)-digits]+"."+text[len(text)-digits:], ".0")
}

// losses lists each loss and gap, with its time and place.
func (p *printer) losses(c *report.Coverage) {
	for _, l := range c.Losses {
		count := number(l.Events, "event") + " lost"
		switch {
		case l.Events == 0 && l.Reason == procmon.LossStopped:
			continue // the gaps below say it
		case l.Events == 0:
			count = "An unknown number of events lost"
		case l.Uncounted > 0:
			count = "At least " + count
		}
		p.paragraph(fmt.Sprintf("%s: %s (%s, %s, %s to %s).", count, harmless(l.Reason), harmless(l.Source), number(l.Hosts, "host"),
			second(l.From, p.where), second(l.To, p.where)))
	}
	for _, g := range c.Gaps {
		p.paragraph(fmt.Sprintf("Nobody looked on %s from %s to %s (%s).", harmless(g.Host),
			second(g.From, p.where), second(g.To, p.where), seconds(g.To.Sub(g.From).Seconds())))
	}
	if n := c.GapCount - len(c.Gaps); n > 0 {
		p.paragraph(fmt.Sprintf("%s not listed.", number(int64(n), "shorter gap")))
	}
}
