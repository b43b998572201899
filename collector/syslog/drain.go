package syslog

import (
	"context"
	"errors"
	"os"
	"time"
)

// Between two tries to reach a receiver.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// drain sends what is in the spool while Write can't send itself. It rests,
// without a timer, while there is nothing to do.
func (s *Sink) drain(ctx context.Context) {
	defer close(s.done)
	pause := firstPause
	fresh := false // connected anew, and the ring not sent again yet
	for {
		if !s.rest(ctx) {
			return
		}
		progress, err := s.step(ctx, &fresh)
		if ctx.Err() != nil {
			return
		}
		if progress {
			pause = firstPause
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			continue // the send has waited already
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// rest waits while Write sends directly; false: ctx is done.
func (s *Sink) rest(ctx context.Context) bool {
	for {
		s.mu.Lock()
		direct := s.direct
		var gone <-chan struct{}
		if direct {
			gone = s.target.gone()
		}
		s.mu.Unlock()
		if !direct {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.wake:
		case <-gone:
			s.mu.Lock()
			if s.direct {
				s.giveUpDirect(errHungUp)
			}
			s.mu.Unlock()
		}
	}
}

var errHungUp = errors.New("receiver hung up")

// step does one thing on the way back to direct: connects, sends the ring
// again, or sends the oldest lines of the spool. It alone uses target and ring.
// progress is that lines of the spool were taken: a receiver that can only be
// connected to has made none.
func (s *Sink) step(ctx context.Context, fresh *bool) (progress bool, err error) {
	s.mu.Lock()
	t, why := s.target, s.outage
	s.mu.Unlock()
	if t != nil && why != nil && !t.usable(why) {
		_ = t.close() // it has failed already
		s.setTarget(nil, why)
		t = nil
	}
	if t == nil {
		t, err := s.connect(ctx)
		s.setTarget(t, err)
		if err != nil {
			return false, err
		}
		*fresh = true
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainWait)
	defer cancel()
	if *fresh {
		n, err := t.send(ctx, s.ring.all())
		s.sent.Add(uint64(n))
		if err != nil && !errors.Is(err, errTooLong) {
			s.setTarget(t, err)
			return false, err
		}
		*fresh = false
	}
	return s.sendSpooled(ctx, t)
}

// sendSpooled sends one batch of the spool; when it is empty, Write sends
// again.
func (s *Sink) sendSpooled(ctx context.Context, t target) (progress bool, err error) {
	s.mu.Lock()
	var lines [][]byte
	if s.spool != nil {
		if lines, err = s.spool.peek(batchLines); err != nil {
			s.warn("syslog: spool can't be read", err)
			s.mu.Unlock()
			return false, err
		}
	}
	if len(lines) == 0 {
		s.direct, s.outage = true, nil
		s.well()
		s.mu.Unlock()
		return true, nil
	}
	s.mu.Unlock()

	n, err := t.send(ctx, lines)

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines[:n] {
		s.ring.push(l)
	}
	s.sent.Add(uint64(n))
	if errors.Is(err, errTooLong) {
		now := s.opts.Now()
		s.lose(1, now, now, err)
		n, err = n+1, nil
	}
	s.outage = err
	err = errors.Join(err, s.spool.advance(lines[:n]))
	s.spoolBytes.Store(s.spool.bytes())
	return n > 0, err
}

func (s *Sink) setTarget(t target, outage error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target, s.outage = t, outage
	if t == nil || outage != nil {
		return
	}
	if s.connected {
		s.reconnects.Add(1)
	}
	s.connected = true
}
