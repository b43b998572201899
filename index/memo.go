package index

// memo remembers the most recent of its entries, at most 2·half of them.
// The zero memo remembers nothing until half is set.
type memo[K comparable, V any] struct {
	half     int
	new, old map[K]V
}

func (m *memo[K, V]) get(k K) (V, bool) {
	if v, ok := m.new[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	if ok {
		m.put(k, v)
	}
	return v, ok
}

func (m *memo[K, V]) put(k K, v V) {
	if m.new == nil || len(m.new) >= m.half {
		m.new, m.old = make(map[K]V, min(m.half, 1024)), m.new
	}
	m.new[k] = v
}

func (m *memo[K, V]) clear() { m.new, m.old = nil, nil }
