package procconn

// merge gives the records of several rings, oldest first: a heap of the rings by
// the time of their next record.
type merge struct {
	heap []merged
}

type merged struct {
	from   *ring
	until  uint64 // how far the ring is drained this time
	record []byte
	time   uint64
	taken  bool // given by the last next, and not looked behind yet
}

// begin forgets what was there.
func (m *merge) begin() { m.heap = m.heap[:0] }

// add takes what is in the ring now: with no end in sight nothing would ever be
// marked. order follows the last.
func (m *merge) add(r *ring) {
	h := merged{from: r, until: r.head.Load()}
	if h.advance() {
		m.heap = append(m.heap, h)
	}
}

func (m *merge) order() {
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
}

// advance looks at the ring's next record.
func (h *merged) advance() bool {
	if h.record = h.from.next(); h.record == nil || h.from.tail.Load() >= h.until {
		return false
	}
	h.time = recordTime(h.record)
	return true
}

// next gives the oldest record, or none. The caller releases it before the next
// call.
func (m *merge) next() (from *ring, record []byte) {
	if len(m.heap) == 0 {
		return nil, nil
	}
	top := &m.heap[0]
	if top.taken {
		top.taken = false
		if !top.advance() {
			last := len(m.heap) - 1
			m.heap[0], m.heap = m.heap[last], m.heap[:last]
		}
		m.sink(0)
	}
	if len(m.heap) == 0 {
		return nil, nil
	}
	m.heap[0].taken = true
	return m.heap[0].from, m.heap[0].record
}

func (m *merge) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(m.heap); c++ {
			if m.heap[c].time < m.heap[least].time {
				least = c
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
