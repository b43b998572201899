package syslog

// ring keeps copies of the last lines sent.
type ring struct {
	lines   [][]byte // a queue in a circle; slots keep their memory
	first   int
	n       int
	bytes   int // of the n lines
	atLeast int // lines kept however long they are
	limit   int // bytes of those beyond
}

// newRing makes a ring of up to lines lines.
func newRing(lines, atLeast, limit int) *ring {
	return &ring{lines: make([][]byte, max(lines, atLeast)), atLeast: atLeast, limit: limit}
}

func (r *ring) push(line []byte) {
	if len(r.lines) == 0 {
		return
	}
	for r.n == len(r.lines) || r.n >= r.atLeast && r.bytes+len(line) > r.limit {
		r.drop()
	}
	slot := &r.lines[(r.first+r.n)%len(r.lines)]
	*slot = append((*slot)[:0], line...)
	r.n++
	r.bytes += len(line)
}

// drop forgets the oldest line, and its memory if it was an unusual lot.
func (r *ring) drop() {
	slot := &r.lines[r.first]
	r.bytes -= len(*slot)
	if cap(*slot) > 4096 {
		*slot = nil
	}
	r.first = (r.first + 1) % len(r.lines)
	r.n--
}

// all lists the lines, oldest first. They are the ring's own memory.
func (r *ring) all() [][]byte {
	lines := make([][]byte, 0, r.n)
	for i := range r.n {
		lines = append(lines, r.lines[(r.first+i)%len(r.lines)])
	}
	return lines
}
