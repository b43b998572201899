package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// target is a receiver that lines can be sent to now.
type target interface {
	// send gives the receiver lines in order until one is refused or ctx is
	// done, and says how many it took. errTooLong concerns lines[n] alone.
	send(ctx context.Context, lines [][]byte) (n int, err error)
	// usable says whether it can be sent to again after err.
	usable(err error) bool
	// gone is closed when the receiver has hung up; nil if that can't be seen.
	gone() <-chan struct{}
	close() error
}

// errTooLong means that a line is longer than the transport can carry.
var errTooLong = errors.New("line too long for the transport")

const (
	dialTimeout   = 5 * time.Second
	streamTimeout = 30 * time.Second // a TCP receiver that takes nothing for so long is given up
	sendBuffer    = 256 << 10        // bytes asked for as SO_SNDBUF: more would only hold more lines that a dead receiver loses
)

// connect opens the target of the sink's address. For auto, procmon's own
// socket is preferred whenever it is there.
func (s *Sink) connect(ctx context.Context) (target, error) {
	if s.addr.kind != "auto" {
		return openTarget(ctx, s.addr, &s.opts)
	}
	t, err := openTarget(ctx, address{"unix", s.own}, &s.opts)
	if err != nil {
		var other error
		if t, other = openTarget(ctx, address{"unix", s.devLog}, &s.opts); other != nil {
			return nil, errors.Join(err, other)
		}
	}
	return t, nil
}

func openTarget(ctx context.Context, a address, o *Options) (target, error) {
	switch a.kind {
	case "file":
		f, err := openFile(a.dest)
		if err != nil {
			return nil, err
		}
		return f, nil
	case "-":
		return &stdout{w: o.Stdout}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dial(ctx, a, o.TLS)
	if err != nil {
		return nil, err
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(sendBuffer) // the kernel caps it; send tells if that was too little
	}
	f := newFraming(a, o.Host)
	if a.kind == "unix" || a.kind == "udp" {
		return &datagram{conn: conn, framing: f, now: o.Now}, nil
	}
	return newStream(conn, f, o.Now), nil
}

// datagram sends one message a line, to a Unix socket or by UDP.
type datagram struct {
	conn    net.Conn
	framing framing
	now     func() time.Time
	buf     []byte
}

func (d *datagram) send(ctx context.Context, lines [][]byte) (int, error) {
	stop := interrupt(ctx, d.conn)
	defer stop()
	for i, line := range lines {
		d.buf = d.framing.append(d.buf[:0], line, d.now())
		if _, err := d.conn.Write(d.buf); err != nil {
			if errors.Is(err, syscall.EMSGSIZE) {
				return i, fmt.Errorf("%w: %d bytes: %w", errTooLong, len(d.buf), err)
			}
			return i, err
		}
	}
	return len(lines), nil
}

// usable: after EAGAIN for as long as ctx gave, the socket is as good as new.
// After anything else a Unix socket stays disconnected.
func (d *datagram) usable(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTooLong)
}

func (d *datagram) gone() <-chan struct{} { return nil }
func (d *datagram) close() error          { return d.conn.Close() }

// interrupt makes writes to conn fail once ctx is done; call what it returns
// when they are over.
func interrupt(ctx context.Context, conn net.Conn) (stop func()) {
	_ = conn.SetWriteDeadline(time.Time{})
	fired := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		_ = conn.SetWriteDeadline(time.Unix(1, 0))
		close(fired)
	})
	return func() {
		if !off() {
			<-fired // or it would cut the next send short
		}
	}
}
