package collector

import (
	"sync"
	"sync/atomic"
)

// Queue is a bounded first-in-first-out queue between two goroutines. A full
// queue refuses: whoever pushes never waits, and counts what was refused.
type Queue[T any] struct {
	limit int64        // the cost that the queue may hold
	cost  atomic.Int64 // of the items; changed under mu

	mu    sync.Mutex // guards the fields below
	items []entry[T]
	head  int // of items: those before it were popped

	ready chan struct{} // holds a token while there may be items
	many  chan struct{} // holds one after a push that filled a quarter
}

type entry[T any] struct {
	item T
	cost int64
}

// keepItems is how many items' room an empty queue keeps; it gives the memory of
// a burst back.
const keepItems = 4096

// NewQueue makes a queue that holds items up to a total cost of limit. One item
// is always taken by an empty queue, whatever it costs.
func NewQueue[T any](limit int) *Queue[T] {
	return &Queue[T]{limit: int64(limit), ready: make(chan struct{}, 1), many: make(chan struct{}, 1)}
}

// Push appends an item, or says that there is no room.
func (q *Queue[T]) Push(item T, cost int) bool {
	return q.put(item, cost, false)
}

// Put appends an item, whether there is room or not.
func (q *Queue[T]) Put(item T, cost int) { q.put(item, cost, true) }

func (q *Queue[T]) put(item T, cost int, always bool) bool {
	q.mu.Lock()
	had := q.cost.Load()
	has := had + int64(cost)
	if has > q.limit && len(q.items) > q.head && !always {
		q.mu.Unlock()
		return false
	}
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		q.reuse()
	}
	q.items = append(q.items, entry[T]{item, int64(cost)})
	q.cost.Store(has)
	q.mu.Unlock()
	signal(q.ready)
	if had < q.limit/4 && has >= q.limit/4 {
		signal(q.many)
	}
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// reuse moves what waits to the beginning of the room.
func (q *Queue[T]) reuse() {
	n := copy(q.items, q.items[q.head:])
	clear(q.items[n:])
	q.items, q.head = q.items[:n], 0
}

// Ready gives a token after a push. There can be a token and no item; there is
// never an item of which no token told.
func (q *Queue[T]) Ready() <-chan struct{} { return q.ready }

// Many gives a token after a push that filled a quarter of the room. There can
// be a token and less than that.
func (q *Queue[T]) Many() <-chan struct{} { return q.many }

// Filled says whether a quarter of the room is taken.
func (q *Queue[T]) Filled() bool { return q.cost.Load() >= q.limit/4 }

// Cost is that of the items.
func (q *Queue[T]) Cost() int { return int(q.cost.Load()) }

// Pop takes up to most items, oldest first, into buf. If some are left a token
// is there again.
func (q *Queue[T]) Pop(buf []T, most int) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	end := min(q.head+most, len(q.items))
	cost := q.cost.Load()
	for i := q.head; i < end; i++ {
		buf = append(buf, q.items[i].item)
		cost -= q.items[i].cost
	}
	q.cost.Store(cost)
	clear(q.items[q.head:end]) // what was handed on must not be kept alive from here
	q.head = end
	switch {
	case end < len(q.items):
		signal(q.ready)
	case cap(q.items) > keepItems:
		q.items, q.head = nil, 0
	default:
		q.items, q.head = q.items[:0], 0
	}
	return buf
}

// Len is the number of items.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head
}
