package collector

import "sync"

// Queue is a bounded first-in-first-out queue between two goroutines. A full
// queue refuses: whoever pushes never waits, and counts what was refused.
type Queue[T any] struct {
	limit int // the cost that the queue may hold

	mu    sync.Mutex // guards the fields below
	items []T
	costs []int
	cost  int

	ready chan struct{} // holds a token while there may be items
}

// NewQueue makes a queue that holds items up to a total cost of limit. One item
// is always taken by an empty queue, whatever it costs.
func NewQueue[T any](limit int) *Queue[T] {
	return &Queue[T]{limit: limit, ready: make(chan struct{}, 1)}
}

// Push appends an item, or says that there is no room.
func (q *Queue[T]) Push(item T, cost int) bool {
	q.mu.Lock()
	if q.cost+cost > q.limit && len(q.items) > 0 {
		q.mu.Unlock()
		return false
	}
	q.items = append(q.items, item)
	q.costs = append(q.costs, cost)
	q.cost += cost
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return true
}

// Ready gives a token after a push. There can be a token and no item; there is
// never an item of which no token told.
func (q *Queue[T]) Ready() <-chan struct{} { return q.ready }

// Filled says whether a quarter of the room is taken.
func (q *Queue[T]) Filled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cost >= q.limit/4
}

// Pop takes up to most items, oldest first, into buf. If some are left a token
// is there again.
func (q *Queue[T]) Pop(buf []T, most int) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(most, len(q.items))
	buf = append(buf, q.items[:n]...)
	for _, c := range q.costs[:n] {
		q.cost -= c
	}
	clear(q.items[:n]) // what was handed on must not be kept alive from here
	if q.items, q.costs = q.items[n:], q.costs[n:]; len(q.items) > 0 {
		select {
		case q.ready <- struct{}{}:
		default:
		}
	} else {
		q.items, q.costs = nil, nil // give the memory of a burst back
	}
	return buf
}

// Len is the number of items.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}
