package render

import (
	"fmt"

	"procmon/report"
)

// coverage says what is known not to have been seen; nothing where nothing is.
func (p *printer) coverage(c *report.Coverage) {
	for _, l := range c.Losses {
		count := fmt.Sprintf("%d events lost", l.Events)
		switch {
		case l.Events == 0:
			count = "an unknown number of events lost"
		case l.Uncounted > 0:
			count = fmt.Sprintf("at least %d events lost", l.Events)
		}
		p.paragraph(fmt.Sprintf("%s: %s (%s, %s, %s to %s)", count, harmless(l.Reason), harmless(l.Source), hosts(l.Hosts),
			second(l.From, p.where), second(l.To, p.where)))
	}
	for _, g := range c.Gaps {
		p.paragraph(fmt.Sprintf("Nobody looked on %s from %s to %s (%s).", harmless(g.Host),
			second(g.From, p.where), second(g.To, p.where), seconds(g.To.Sub(g.From).Seconds())))
	}
	if n := c.GapCount - len(c.Gaps); n > 0 {
		p.paragraph(fmt.Sprintf("%d shorter gaps are not listed.", n))
	}
}

func hosts(n int64) string {
	if n == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", n)
}
