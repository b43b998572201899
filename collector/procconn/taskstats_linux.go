package procconn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// exits listens to taskstats: one message for each thread that ends, with what
// it used. The messages wait in the socket until the pump looks: the kernel
// sends them before the exits that wake the pump.
type exits struct {
	fd     int
	clock  procfs.Clock
	batch  *batch
	groups groups
	seen   procmon.BootNS // when the socket was last found empty

	overrun uint64
	uneven  uint64 // times that sums of threads were given up
	old     bool   // the kernel's taskstats don't tell processes apart
	broken  bool
	logger  *slog.Logger
}

const taskstatsRegister = 3 // TASKSTATS_CMD_ATTR_REGISTER_CPUMASK

// openExits subscribes to the ends of threads on every CPU.
func openExits(buffer int, logger *slog.Logger) (*exits, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("taskstats: %w", err)
	}
	if err := subscribe(conn, buffer); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("taskstats: %w", err)
	}
	x := &exits{batch: newBatch(batchSize, maxTaskstats), logger: logger}
	x.seen = x.clock.Now()
	if x.fd, err = detach(conn); err != nil {
		return nil, fmt.Errorf("taskstats: %w", err)
	}
	return x, nil
}

// maxTaskstats is more than a message of taskstats has.
const maxTaskstats = 2048

func subscribe(conn *genetlink.Conn, buffer int) error {
	family, err := conn.GetFamily("TASKSTATS")
	if err != nil {
		return err
	}
	if err := conn.SetReadBuffer(buffer); err != nil {
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
	_, err = conn.Execute(genetlink.Message{Header: genetlink.Header{Command: cmdGet, Version: 1}, Data: attrs}, family.ID, netlink.Request|netlink.Acknowledge)
	return err
}

// drain hands on the counters of the processes whose last thread has ended, and
// says whether there were messages at all.
func (x *exits) drain(reader int, emit func(*procmon.Event)) (busy bool) {
	for !x.broken {
		began := x.clock.Now()
		n, errno := x.batch.receive(x.fd)
		switch {
		case errno == unix.EAGAIN:
			x.seen = began
			return busy
		case errno == unix.ENOBUFS:
			x.overrun++
			x.groups = groups{}
		case errno != 0 && !errors.Is(errno, unix.EINTR):
			x.logger.Error("taskstats ended; runs have no usage from now on", "error", errno)
			x.broken = true
		}
		for i := range n {
			x.take(i, reader, emit)
		}
		busy = busy || n > 0
	}
	return busy
}

// startKnown is how late a message may be looked at for its process's start,
// which it tells as an age, to be known.
const startKnown = procmon.BootNS(1e9)

func (x *exits) take(i, reader int, emit func(*procmon.Event)) {
	data, fromKernel := x.batch.message(i)
	if !fromKernel || len(data) < unix.SizeofNlMsghdr {
		return
	}
	t, ok, old := parseTaskstats(data[unix.SizeofNlMsghdr:])
	x.old = x.old || old
	if !ok {
		return
	}
	used, done, overflow := x.groups.add(t)
	if overflow {
		x.uneven++
	}
	if !done {
		return
	}
	now := x.clock.Now()
	proc := procmon.ProcessID{PID: t.TGID}
	if now < x.seen+startKnown {
		proc.Start = (now - min(now, procmon.BootNS(t.Elapsed))).Ticks()
	}
	emit(&procmon.Event{Kind: procmon.EventFinal, Reader: reader, Time: now, Proc: proc, Used: used, UID: t.UID})
}

func (x *exits) close() error { return unix.Close(x.fd) }
