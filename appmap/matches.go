package appmap

import (
	"strings"
	"sync"
)

// matches remembers what the catalogue says of names: every run asks, and the
// patterns are many.
type matches struct {
	mu   sync.Mutex // guards what follows
	name map[string]matchResult
}

type matchResult struct {
	match match
	ok    bool
}

// Bounds of what is remembered; at the first all of it is forgotten.
const (
	maxMatches   = 2048
	maxMatchName = 255 // NAME_MAX
)

func (m *matches) get(name string) (matchResult, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.name[name]
	return r, ok
}

func (m *matches) put(name string, r matchResult) {
	if len(name) > maxMatchName {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.name == nil || len(m.name) >= maxMatches {
		m.name = map[string]matchResult{}
	}
	m.name[strings.Clone(name)] = r
}
