package collector

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"procmon"
)

// lossBook gathers losses until they are told: one record for each reason,
// place and CPU, however many events it stands for.
type lossBook struct {
	mu   sync.Mutex // guards open
	open map[lossKey]procmon.Loss
}

type lossKey struct {
	reason, where string
	cpu           int
}

func keyOf(l *procmon.Loss) lossKey { return lossKey{l.Reason, l.Where, l.CPU} }

// merge adds a loss of the same key. Without the number of one, that of both
// together is not known either.
func merge(sum, l *procmon.Loss) {
	if sum.Count == 0 || l.Count == 0 {
		sum.Count = 0
	} else {
		sum.Count += l.Count
	}
	if l.From.Before(sum.From) {
		sum.From = l.From
	}
	if l.To.After(sum.To) {
		sum.To = l.To
	}
}

// count adds n events that were lost at one time.
func (b *lossBook) count(reason, where string, cpu int, n uint64, at time.Time) {
	b.add(procmon.Loss{Count: n, CPU: cpu, From: at, To: at, Reason: reason, Where: where})
}

// add adds a loss.
func (b *lossBook) add(l procmon.Loss) {
	key := keyOf(&l)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[lossKey]procmon.Loss{}
	}
	old, ok := b.open[key]
	if !ok {
		b.open[key] = l
		return
	}
	merge(&old, &l)
	b.open[key] = old
}

// take gives what was gathered and begins anew.
func (b *lossBook) take() []procmon.Loss {
	b.mu.Lock()
	open := b.open
	b.open = nil
	b.mu.Unlock()
	losses := make([]procmon.Loss, 0, len(open))
	for _, l := range open {
		losses = append(losses, l)
	}
	slices.SortFunc(losses, func(x, y procmon.Loss) int {
		return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Where, y.Where), cmp.Compare(x.CPU, y.CPU))
	})
	return losses
}
