package render

import (
	"fmt"

	"procmon"
	"procmon/report"
)

// coverage says what is known not to have been seen; nothing where nothing is.
func (p *printer) coverage(c *report.Coverage) {
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
