package syslog

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"
)

// dial connects to a socket address.
func dial(ctx context.Context, a address, config *tls.Config) (net.Conn, error) {
	var d net.Dialer
	switch a.kind {
	case "unix":
		return d.DialContext(ctx, "unixgram", a.dest)
	case "tls":
		return (&tls.Dialer{NetDialer: &d, Config: config}).DialContext(ctx, "tcp", a.dest)
	}
	return d.DialContext(ctx, a.kind, a.dest)
}

// stream sends messages with octet counts over TCP or TLS.
type stream struct {
	conn    net.Conn
	framing framing
	now     func() time.Time
	buf     []byte
	hungUp  chan struct{}
}

// newStream takes a connection over. A goroutine waits for the receiver's
// hanging up, which writes alone would notice one line too late; close ends it.
func newStream(conn net.Conn, f framing, now func() time.Time) *stream {
	s := &stream{conn: conn, framing: f, now: now, hungUp: make(chan struct{})}
	go func() {
		defer close(s.hungUp)
		_, _ = io.Copy(io.Discard, conn) // a syslog server sends nothing
	}()
	return s
}

func (s *stream) send(ctx context.Context, lines [][]byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	stop := interrupt(ctx, s.conn)
	defer stop()
	for i := 0; i < len(lines); {
		// Several in one write: a TLS record each would cost more than the lines.
		s.buf = s.buf[:0]
		from := i
		for now := s.now(); i < len(lines) && (i == from || len(s.buf) < 16<<10); i++ {
			s.buf = s.framing.append(s.buf, lines[i], now)
		}
		if _, err := s.conn.Write(s.buf); err != nil {
			return from, err
		}
	}
	return len(lines), nil
}

// usable: part of a message may be out, so no error leaves the stream usable.
func (s *stream) usable(error) bool     { return false }
func (s *stream) gone() <-chan struct{} { return s.hungUp }

func (s *stream) close() error {
	err := s.conn.Close()
	<-s.hungUp
	return err
}
