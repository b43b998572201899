package procconn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

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
	if err := conn.SetReadBuffer(buffer / 2); err != nil {
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

// late says whether the socket was not looked at for so long that a message's
// arrival no longer tells when its process ended.
func (x *exits) late(now procmon.BootNS) bool { return now > x.seen+lateLook }

const lateLook = procmon.BootNS(500 * time.Millisecond)

// drain hands on the counters of the processes whose last thread has ended, and
// says whether there were messages at all. ended, if there is one, knows when
// processes exited.
func (x *exits) drain(ended map[int32]procmon.BootNS, emit func(*procmon.Event)) (busy bool) {
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
			x.take(i, ended, emit)
		}
		busy = busy || n > 0
	}
	return busy
}

func (x *exits) take(i int, ended map[int32]procmon.BootNS, emit func(*procmon.Event)) {
	data, fromKernel := x.batch.message(i)
	if !fromKernel || len(data) < unix.SizeofNlMsghdr {
		return
	}
	t, ok, old := parseTaskstats(data[unix.SizeofNlMsghdr:])
	if old && !x.old {
		x.old = true
		x.logger.Warn("runs have no usage: this kernel's taskstats don't say which process a thread was of (Linux 5.19 and later do)")
	}
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
	e := procmon.Event{Kind: procmon.EventFinal, Time: x.clock.Now(), Proc: procmon.ProcessID{PID: t.TGID}, Used: used, UID: t.UID}
	if at, known := ended[t.TGID]; known {
		e.Time = at
	} else if ended == nil {
		e.Proc.Start = (e.Time - min(e.Time, procmon.BootNS(t.Elapsed))).Ticks()
	}
	emit(&e)
}

func (x *exits) close() error { return unix.Close(x.fd) }
