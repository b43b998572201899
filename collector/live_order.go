package collector

import (
	"cmp"
	"slices"

	"procmon"
)

// dated is an event's place in held and its time: events are large, and sorted by
// these instead.
type dated struct {
	at    procmon.BootNS
	place int
}

// applyUntil applies the held events that are older than horizon, in the order
// of their times; those of one time in the order in which they came.
func (l *Live) applyUntil(horizon procmon.BootNS) {
	l.order = l.order[:0]
	for i := range l.held {
		if l.held[i].Time < horizon {
			l.order = append(l.order, dated{l.held[i].Time, i})
		}
	}
	if len(l.order) == 0 {
		return
	}
	slices.SortFunc(l.order, func(a, b dated) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.place, b.place))
	})
	for _, d := range l.order {
		l.apply(&l.held[d.place])
	}
	rest := l.held[:0]
	for i := range l.held {
		if l.held[i].Time >= horizon {
			rest = append(rest, l.held[i])
		}
	}
	clear(l.held[len(rest):])
	l.held = rest
	if cap(l.held) > keepItems && len(l.held) == 0 {
		l.held, l.order = nil, nil // give the memory of a burst back
	}
}
