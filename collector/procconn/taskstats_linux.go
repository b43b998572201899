package procconn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// exits listens to taskstats: one message for each thread that ends, with what
// it used.
type exits struct {
	conn  *genetlink.Conn
	raw   syscall.RawConn
	fd    int
	clock procfs.Clock
	wake  *doorbell
	loop  sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	events []procmon.Event

	overrun atomic.Uint64
	uneven  atomic.Uint64 // times that sums of threads were given up
	old     atomic.Bool   // the kernel's taskstats don't tell processes apart
}

const taskstatsRegister = 3 // TASKSTATS_CMD_ATTR_REGISTER_CPUMASK

// openExits subscribes to the ends of threads on every CPU.
func openExits(buffer int, wake *doorbell) (*exits, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("taskstats: %w", err)
	}
	x := &exits{conn: conn, wake: wake}
	if err := x.register(buffer); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("taskstats: %w", err)
	}
	return x, nil
}

func (x *exits) register(buffer int) error {
	family, err := x.conn.GetFamily("TASKSTATS")
	if err != nil {
		return err
	}
	if err := x.conn.SetReadBuffer(buffer); err != nil {
		return err
	}
	if x.raw, err = x.conn.SyscallConn(); err != nil {
		return err
	}
	if err := x.raw.Control(func(fd uintptr) { x.fd = int(fd) }); err != nil {
		return err
	}
	possible, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return err
	}
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: taskstatsRegister, Data: append(possible[:len(possible)-1:len(possible)-1], 0)}})
	if err != nil {
		return err
	}
	const cmdGet = 1
	_, err = x.conn.Execute(genetlink.Message{Header: genetlink.Header{Command: cmdGet, Version: 1}, Data: attrs}, family.ID, netlink.Request|netlink.Acknowledge)
	return err
}

// maxEvents bounds what may wait for the pump.
const maxEvents = 1 << 17

// run receives until the connection is closed.
func (x *exits) run(reader int, logger *slog.Logger) {
	b := newBatch(64, 2048)
	var g groups
	for {
		n, errno := 0, unix.Errno(0)
		err := x.raw.Read(func(fd uintptr) bool {
			n, errno = b.receive(int(fd))
			return errno != unix.EAGAIN
		})
		switch {
		case err != nil: // closed
			return
		case errno == unix.ENOBUFS:
			x.overrun.Add(1)
			g = groups{}
		case errno != 0 && !errors.Is(errno, unix.EINTR):
			logger.Error("taskstats ended; runs have no usage from now on", "error", errno)
			return
		}
		x.take(b, n, reader, &g)
		x.wake.ring()
	}
}

// take turns received messages into events. Their time is that of their
// arrival, read under the lock: so what drain has not seen is younger than it.
func (x *exits) take(b *batch, n, reader int, g *groups) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.clock.Now()
	for i := range n {
		data, fromKernel := b.message(i)
		if !fromKernel || len(data) < unix.SizeofNlMsghdr {
			continue
		}
		t, ok, old := parseTaskstats(data[unix.SizeofNlMsghdr:])
		if old {
			x.old.Store(true)
		}
		if !ok {
			continue
		}
		used, done, overflow := g.add(t)
		if overflow {
			x.uneven.Add(1)
		}
		if done && len(x.events) >= maxEvents {
			x.uneven.Add(1)
		} else if done {
			began := now - min(now, procmon.BootNS(t.Elapsed))
			x.events = append(x.events, procmon.Event{
				Kind: procmon.EventFinal, Reader: reader, Time: now, Used: used, UID: t.UID,
				Proc: procmon.ProcessID{PID: t.TGID, Start: began.Ticks()},
			})
		}
	}
}

// drain takes the events that have gathered.
func (x *exits) drain() []procmon.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	events := x.events
	x.events = nil
	return events
}

// close ends run and waits for it.
func (x *exits) close() error {
	err := x.conn.Close()
	x.loop.Wait()
	return err
}
