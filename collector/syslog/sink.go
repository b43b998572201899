package syslog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
)

// ErrClosed is what Write gives after Close.
var ErrClosed = errors.New("syslog sink is closed")

const (
	directWait = time.Second // how long Write waits for a receiver before it spools
	drainWait  = 5 * time.Second
	batchLines = 64      // sent from the spool between two writes of its offset
	batchBytes = 1 << 20 // of lines made before they are sent
)

// Sink sends lines. Its methods may be called from several goroutines.
type Sink struct {
	addr        address
	own, devLog string // what auto means
	opts        Options

	cancel context.CancelFunc // ends drain
	done   chan struct{}      // closed when drain has ended
	wake   chan struct{}      // tells drain that direct was given up

	sent, spooled, lost, reconnects atomic.Uint64
	spoolBytes                      atomic.Int64

	mu     sync.Mutex // guards what follows
	closed bool
	enc    encoder
	buf    []byte            // lines on their way
	lines  [][]byte          // of buf
	of     []*procmon.Record // of lines
	spool  *spool            // nil: none
	loss   procmon.Loss
	losses []procmon.Record // of losses, without room
	cause  error            // of loss or losses

	// While direct, Write sends, holding mu. Else drain owns target and ring,
	// and Write appends to the spool. The spool is empty while direct.
	direct    bool
	target    target // nil: not connected
	connected bool   // at least once
	ring      *ring
	outage    error // why not direct, nil: nothing wrong
	warned    time.Time
	warning   bool // the last outage was logged, its end was not
}

// Open makes a sink and starts to send what an earlier one left in the spool.
// A receiver that isn't there is no error: lines wait for it. A file that can't
// be opened is one. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Sink, error) {
	return open(ctx, o, OwnSocket, devLog)
}

func open(ctx context.Context, o Options, own, devLog string) (*Sink, error) {
	a, err := parseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	s := &Sink{addr: a, own: own, devLog: devLog, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	if a.kind == "auto" {
		if _, err := os.Stat(own); err == nil {
			a = address{"unix", OwnSocket}
			s.addr = address{"unix", own}
		}
	}
	if s.opts, err = o.withDefaults(a); err != nil {
		return nil, err
	}
	if s.addr.kind == "auto" {
		s.opts.Logger.Warn("syslog: no socket of procmon's own: lines go to /dev/log, where journald may drop some; install contrib/rsyslog/procmon.conf and restart rsyslog",
			"missing", own)
	}
	s.enc = encoder{
		schema: s.opts.Schema, commandLine: s.opts.CommandLine, host: s.opts.Host,
		max: s.opts.MaxBytes - newFraming(a, s.opts.Host).overhead(),
	}
	s.ring = ringFor(a)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// start opens spool and target and begins to drain.
func (s *Sink) start(ctx context.Context) (err error) {
	var torn uint64
	if s.opts.Spool != "" {
		if s.spool, torn, err = openSpool(s.opts.Spool, s.opts.SpoolMax); err != nil {
			return err
		}
		s.spoolBytes.Store(s.spool.bytes())
		if torn > 0 {
			now := s.opts.Now()
			s.lose(torn, now, now, errors.New("half a line at the end of the spool, of a crash"))
		}
	}
	if s.target, err = s.connect(ctx); err != nil {
		s.outage = err
		if s.addr.kind == "file" {
			return errors.Join(err, s.closeSpool())
		}
		s.warn("syslog: receiver does not answer", err)
	}
	s.connected = err == nil
	s.direct = err == nil && (s.spool == nil || s.spool.empty())
	if !s.direct {
		s.wake <- struct{}{}
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.drain(running)
	return nil
}

// ringFor makes the memory of what a dead receiver may have lost: a Unix
// socket holds max_dgram_qlen messages, a TCP connection what its buffers take.
func ringFor(a address) *ring {
	switch a.kind {
	case "file", "-":
		return newRing(0, 0, 0)
	case "tcp", "tls":
		return newRing(4096, ringLines, ringBytes)
	}
	const slack = 32 // what the receiver had read and not yet written
	n := ringLines
	if b, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen"); err == nil {
		if q, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			n = max(n, min(q+slack, 4096))
		}
	}
	return newRing(n, ringLines, ringBytes)
}

// Write makes lines of the records and sends them, or puts them into the
// spool. It waits a second for a receiver that stands still, less if ctx is
// done. On nil all are sent or spooled. A *procmon.LostError counts the ones
// that found no room, or that an earlier Write had spooled and that can't be
// sent; all others are sent or spooled. After any other error nothing
// is known of the batch, and all of it should be written again.
func (s *Sink) Write(ctx context.Context, records []procmon.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for len(records) > 0 {
		s.buf, s.lines, s.of = s.buf[:0], s.lines[:0], s.of[:0]
		n := 0
		var ends []int
		for n < len(records) && len(s.buf) < batchBytes {
			if b := s.enc.line(s.buf, &records[n]); len(b) > len(s.buf) {
				s.buf = b
				ends = append(ends, len(b))
				s.of = append(s.of, &records[n])
			}
			n++
		}
		from := 0
		for _, end := range ends {
			s.lines = append(s.lines, s.buf[from:end])
			from = end
		}
		if err := s.deliver(ctx, s.lines, s.of); err != nil {
			return err
		}
		records = records[n:]
	}
	if s.loss.Count == 0 && len(s.losses) == 0 {
		return nil
	}
	err := &procmon.LostError{Loss: s.loss, Losses: s.losses, Err: s.cause}
	s.loss, s.losses, s.cause = procmon.Loss{}, nil, nil
	return err
}

// deliver sends or spools lines; of are their records.
func (s *Sink) deliver(ctx context.Context, lines [][]byte, of []*procmon.Record) error {
	if s.direct {
		ctx, cancel := context.WithTimeout(ctx, directWait)
		n, err := s.sendAll(ctx, lines)
		cancel()
		if err == nil {
			return nil
		}
		lines, of = lines[n:], of[n:]
		s.giveUpDirect(err)
	}
	if len(lines) == 0 {
		return nil
	}
	if s.spool == nil {
		if s.outage == nil {
			return fmt.Errorf("syslog %s: connecting", s.addr)
		}
		return fmt.Errorf("syslog %s: %w", s.addr, s.outage)
	}
	n, err := s.spool.append(lines)
	s.spooled.Add(uint64(n))
	s.spoolBytes.Store(s.spool.bytes())
	switch {
	case errors.Is(err, errSpoolFull):
		for _, r := range of[n:] {
			if r.Loss != nil {
				s.losses, s.cause = append(s.losses, *r), err
			} else {
				s.lose(1, r.Time, r.Time, err)
			}
		}
	case err != nil:
		return err
	}
	return nil
}

// sendAll sends lines to the target and says how many are done with: sent, or
// too long to be.
func (s *Sink) sendAll(ctx context.Context, lines [][]byte) (done int, err error) {
	for done < len(lines) {
		n, err := s.target.send(ctx, lines[done:])
		for _, l := range lines[done : done+n] {
			s.ring.push(l)
		}
		s.sent.Add(uint64(n))
		done += n
		if errors.Is(err, errTooLong) {
			done++
			now := s.opts.Now()
			s.lose(1, now, now, err)
			continue
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// giveUpDirect hands the target over to drain.
func (s *Sink) giveUpDirect(err error) {
	s.direct = false
	s.outage = err
	s.warn("syslog: receiver does not take lines", err)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// warn logs what is wrong, once a minute at most: a receiver that comes and
// goes must not fill the log.
func (s *Sink) warn(what string, err error) {
	now := s.opts.Now()
	if !s.warned.IsZero() && now.Sub(s.warned) < time.Minute {
		return
	}
	s.warned, s.warning = now, true
	s.opts.Logger.Warn(what, "address", s.addr.String(), "err", err, "spool", s.opts.Spool)
}

// well logs the end of an outage whose beginning was logged.
func (s *Sink) well() {
	if s.warning {
		s.warning = false
		s.opts.Logger.Info("syslog: receiver takes lines", "address", s.addr.String())
	}
}

// lose counts lines that are lost; the next Write tells.
func (s *Sink) lose(n uint64, from, to time.Time, cause error) {
	s.lost.Add(n)
	if s.loss.Count == 0 {
		s.loss = procmon.Loss{CPU: -1, From: from, Reason: procmon.LossSink, Where: "syslog"}
	}
	s.loss.Count += n
	s.loss.To = to
	s.cause = cause
}

// Reopen opens a file again, as after its rotation. A renamed file is noticed
// without it. It does nothing for other addresses.
func (s *Sink) Reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.target.(*file); ok && s.direct {
		return f.reopen()
	}
	return nil
}

// Stats may be called at any time; it waits for nothing.
func (s *Sink) Stats() Stats {
	return Stats{
		Sent: s.sent.Load(), Spooled: s.spooled.Load(), Lost: s.lost.Load(),
		Reconnects: s.reconnects.Load(), SpoolBytes: s.spoolBytes.Load(),
	}
}

// Close ends the sending. What is in the spool stays there for the next Open.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.target != nil {
		err = s.target.close()
		s.target = nil
	}
	return errors.Join(err, s.closeSpool())
}

func (s *Sink) closeSpool() error {
	if s.spool == nil {
		return nil
	}
	return s.spool.close()
}
