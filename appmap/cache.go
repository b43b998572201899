package appmap

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"procmon"
)

// cache keeps the answers that were asked for last.
type cache struct {
	size  int
	seeds [2]maphash.Seed

	mu     sync.Mutex // guards what follows
	recent *list.List // of *cached, the last used first
	byKey  map[cacheKey]*list.Element
}

// cacheKey is two independent hashes of all that an answer depends on: users
// choose what goes in, and must not find two subjects of one key.
type cacheKey [2]uint64

type cached struct {
	key   cacheKey
	app   procmon.Application
	of    identity
	fresh time.Time // till then it stands without a look at the files it is of
	until time.Time
}

func newCache(size int) *cache {
	return &cache{size: size, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, recent: list.New(), byKey: map[cacheKey]*list.Element{}}
}

// key hashes a subject.
func (c *cache) key(s *subject) cacheKey {
	var room [2048]byte
	text := s.text(room[:0])
	return cacheKey{maphash.Bytes(c.seeds[0], text), maphash.Bytes(c.seeds[1], text)}
}

// text appends the parts of a subject so that no two have the same bytes.
func (s *subject) text(b []byte) []byte {
	part := func(v string) { b = append(append(b, v...), 0) }
	b = binary.LittleEndian.AppendUint32(b, s.uid)
	part(s.exe)
	part(s.tool)
	b = append(b, byte(s.inv.what))
	part(s.script)
	part(s.home)
	for _, dir := range s.inv.classes {
		part(dir)
	}
	b = append(b, 1)
	for i := range s.env.names {
		part(s.env.names[i])
		part(s.env.values[i])
	}
	if s.foreign {
		b = append(b, 2)
	}
	if s.deleted {
		b = append(b, 3)
	}
	return b
}

// get gives an answer that is not too old, fresh or not.
func (c *cache) get(k cacheKey, now time.Time) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[k]
	if e == nil {
		return cached{}, false
	}
	if v := e.Value.(*cached); now.Before(v.until) {
		c.recent.MoveToFront(e)
		return *v, true
	}
	c.drop(e)
	return cached{}, false
}

func (c *cache) put(v cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[v.key]; e != nil {
		c.drop(e)
	}
	if c.size <= 0 {
		return
	}
	for c.recent.Len() >= c.size {
		c.drop(c.recent.Back())
	}
	c.byKey[v.key] = c.recent.PushFront(&v)
}

func (c *cache) drop(e *list.Element) {
	delete(c.byKey, c.recent.Remove(e).(*cached).key)
}
