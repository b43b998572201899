package collector

import "time"

// quietTick is how often what is due is looked after while nothing happens and
// no job is there.
const quietTick = 5 * time.Second

// until is how long it is to the next time of day that is a whole multiple of
// d. What is done every second is done then by all, so that a machine is woken
// once.
func until(d time.Duration) time.Duration {
	now := time.Now()
	return now.Truncate(d).Add(d).Sub(now)
}

// turn tells another goroutine that it is its turn. The loop alone has a timer:
// each further one would wake an idle machine once more.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// give never waits: turns that were not taken yet are one.
func (t turn) give() {
	select {
	case t <- struct{}{}:
	default:
	}
}
