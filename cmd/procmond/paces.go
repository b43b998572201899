package main

import (
	"sync"
	"time"
)

// paces holds users to one question at a time, and to pauses between them.
type paces struct {
	mu sync.Mutex // guards of
	of map[uint32]pace
}

type pace struct {
	running bool
	next    time.Time // when the user may ask again
}

// forgetAbove is how many users are known until those who may ask again are forgotten.
const forgetAbove = 1000

// begin says how long a user must wait; 0: the question may be answered, and end must follow.
func (p *paces) begin(uid uint32, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[uid].running {
		return time.Second
	}
	if wait := p.of[uid].next.Sub(now); wait > 0 {
		return wait
	}
	if p.of == nil {
		p.of = map[uint32]pace{}
	}
	if len(p.of) > forgetAbove {
		for uid, of := range p.of {
			if !of.running && !of.next.After(now) {
				delete(p.of, uid)
			}
		}
	}
	p.of[uid] = pace{running: true}
	return 0
}

// end says that a user's question was answered, and when the next one may come.
func (p *paces) end(uid uint32, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[uid] = pace{next: next}
}
