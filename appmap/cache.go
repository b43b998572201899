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
	size int
	seed maphash.Seed

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
	until time.Time
}

func newCache(size int) *cache {
	return &cache{size: size, seed: maphash.MakeSeed(), recent: list.New(), byKey: map[cacheKey]*list.Element{}}
}

// key hashes a subject.
func (c *cache) key(s *subject) cacheKey {
	var k cacheKey
	for i := range k {
		var h maphash.Hash
		h.SetSeed(c.seed)
		h.WriteByte(byte(i))
		s.hash(&h)
		k[i] = h.Sum64()
	}
	return k
}

// hash writes the parts of a subject so that no two write the same bytes.
func (s *subject) hash(h *maphash.Hash) {
	part := func(v string) {
		h.WriteString(v)
		h.WriteByte(0)
	}
	var uid [4]byte
	binary.LittleEndian.PutUint32(uid[:], s.uid)
	h.Write(uid[:])
	part(s.exe)
	part(s.tool)
	h.WriteByte(byte(s.inv.what))
	part(s.script)
	part(s.home)
	for _, dir := range s.inv.classes {
		part(dir)
	}
	h.WriteByte(1)
	for i := range s.env.names {
		part(s.env.names[i])
		part(s.env.values[i])
	}
	if s.foreign {
		h.WriteByte(2)
	}
	if s.deleted {
		h.WriteByte(3)
	}
}

func (c *cache) get(k cacheKey, now time.Time) (procmon.Application, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[k]
	if e == nil {
		return procmon.Application{}, false
	}
	if v := e.Value.(*cached); now.Before(v.until) {
		c.recent.MoveToFront(e)
		return v.app, true
	}
	c.recent.Remove(e)
	delete(c.byKey, k)
	return procmon.Application{}, false
}

func (c *cache) put(k cacheKey, app procmon.Application, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[k]; e != nil {
		c.recent.Remove(e)
		delete(c.byKey, k)
	}
	if c.size <= 0 {
		return
	}
	for c.recent.Len() >= c.size {
		last := c.recent.Back()
		c.recent.Remove(last)
		delete(c.byKey, last.Value.(*cached).key)
	}
	c.byKey[k] = c.recent.PushFront(&cached{k, app, until})
}
