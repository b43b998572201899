package appmap

import (
	"sync"
	"time"
)

// pace bounds how many files of other machines are opened: a job that starts
// on a thousand nodes at once asks the server a thousand times as much as one.
// It is a bucket that fills by rate a second up to burst.
type pace struct {
	rate, burst float64
	now         func() time.Time

	mu   sync.Mutex // guards what follows
	left float64
	last time.Time
}

// A node's share of a server's patience: one program's look-up takes about ten
// opens, and most programs are named by their paths alone.
const (
	remoteRate  = 5  // opens a second
	remoteBurst = 60 // opens at once
)

func newPace(rate, burst float64, now func() time.Time) *pace {
	return &pace{rate: rate, burst: burst, now: now, left: burst, last: now()}
}

// take says whether one more file may be opened now. It never waits.
func (p *pace) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if d := now.Sub(p.last); d > 0 {
		p.left, p.last = min(p.burst, p.left+p.rate*d.Seconds()), now
	}
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}
