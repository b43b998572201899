package procconn

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"procmon/collector/procfs"
)

// reader listens to the events of one CPU. Its loop runs on a thread of its
// own, takes no lock, allocates nothing and calls nothing that waits, but for
// the next event.
type reader struct {
	index int
	cpu   int // where it is pinned, -1: nowhere
	fd    int // its socket
	proc  *procfs.Reader
	ring  *ring
	batch *batch
	wake  *doorbell
	stop  int // readable when the loop is to end

	// What the pump may look at.
	idle    atomic.Bool   // waiting for an event
	handled atomic.Uint64 // time of the last event that is in the ring
	gone    atomic.Uint64 // execs whose process could not be read
	full    atomic.Uint64 // records that the ring had no room for
	foreign atomic.Uint64 // messages that the kernel did not send
	overrun atomic.Uint64 // times that the socket's buffer overflowed
	failure atomic.Uint32 // errno that ended the loop

	started   bool         // set before run
	reading   atomic.Int64 // when the read that goes on began, CLOCK_BOOTTIME; 0: none
	abandoned atomic.Bool  // another reader has the socket now: end when the read returns
	ended     atomic.Bool  // the loop has returned
	told      tally        // what the pump has told of its losses
	until     uint64       // how far the pump drains its ring this time
}

// batchSize is how many messages a reader takes at once.
const batchSize = 64

// newReader makes a reader of the given CPUs' events and lets the kernel begin
// to queue them.
func newReader(index, cpu int, cpus []cpuRange, cfg *Config, readers int) (*reader, error) {
	r := &reader{index: index, cpu: cpu, ring: newRing(cfg.RingBytes / readers), batch: newBatch(batchSize, 128)}
	var err error
	if r.proc, err = procfs.NewReader(cfg.Proc, cfg.Env, cfg.MaxArgs); err != nil {
		return nil, err
	}
	if r.fd, err = listenTo(cpus, cfg.BufferBytes/(readers+1)); err != nil {
		_ = r.proc.Close()
		return nil, fmt.Errorf("process connector: %w", err)
	}
	return r, nil
}

// listenTo makes a socket that gets the given CPUs' events. The filter comes
// before the group is joined, so that nothing else is ever queued.
func listenTo(cpus []cpuRange, buffer int) (fd int, err error) {
	prog, err := filter(cpus)
	if err != nil {
		return -1, err
	}
	conn, err := netlink.Dial(unix.NETLINK_CONNECTOR, &netlink.Config{})
	if err != nil {
		return -1, err
	}
	if err := subscribeTo(conn, prog, buffer); err != nil {
		_ = conn.Close()
		return -1, err
	}
	return detach(conn)
}

func subscribeTo(conn *netlink.Conn, prog []bpf.RawInstruction, buffer int) error {
	if err := conn.SetBPF(prog); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if err := conn.SetReadBuffer(buffer); err != nil {
		return fmt.Errorf("receive buffer of %d bytes: %w", buffer, err)
	}
	const group = 1 // CN_IDX_PROC
	if err := conn.JoinGroup(group); err != nil {
		return fmt.Errorf("join group: %w", err)
	}
	// Every kernel knows the short form. One before 6.6 ignores the long one,
	// which narrows what a newer one sends.
	for _, data := range [...][]byte{listen(opListen, 0), listen(opListen, whatFork|whatExec|whatExit)} {
		if _, err := conn.Send(netlink.Message{Header: netlink.Header{Type: netlink.Done}, Data: data}); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	return nil
}

// replacement makes a reader that goes on where this one hangs.
func (r *reader) replacement(cfg *Config) (*reader, error) {
	proc, err := procfs.NewReader(cfg.Proc, cfg.Env, cfg.MaxArgs)
	if err != nil {
		return nil, err
	}
	n := &reader{
		index: r.index, cpu: r.cpu, fd: r.fd, proc: proc,
		ring: newRing(len(r.ring.buf)), batch: newBatch(batchSize, 128), wake: r.wake, stop: r.stop,
	}
	n.told.drops = r.told.drops
	n.handled.Store(r.handled.Load())
	return n, nil
}

// close ends the subscription. A kernel before 6.6 counts listeners and has to
// be told.
func (r *reader) close() error {
	m := netlink.Message{Header: netlink.Header{Type: netlink.Done}, Data: listen(opIgnore, 0)}
	m.Header.Length = uint32(unix.SizeofNlMsghdr + len(m.Data))
	if b, err := m.MarshalBinary(); err == nil {
		_ = unix.Sendto(r.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	return errors.Join(r.proc.Close(), unix.Close(r.fd))
}

// run is the loop. ready is told once the thread is where it should be.
func (r *reader) run(realtime bool, ready chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the loop
	defer r.ended.Store(true)
	ready <- r.place(realtime)
	fds := [2]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}, {Fd: int32(r.stop), Events: unix.POLLIN}}
	for !r.abandoned.Load() {
		n, errno := r.batch.receive(r.fd)
		switch errno {
		case 0:
			for i := range n {
				r.handle(i)
			}
			r.wake.ring()
		case unix.EAGAIN:
			r.idle.Store(true)
			waitReadable(&fds)
			r.idle.Store(false)
			if fds[1].Revents != 0 {
				return
			}
		case unix.ENOBUFS:
			r.overrun.Add(1)
			r.wake.ring()
		case unix.EINTR:
		default:
			r.failure.Store(uint32(errno))
			r.wake.ring()
			return
		}
	}
}

// place pins the thread to its CPU and makes it real time. A reader that is
// not where it should be still reads; it only misses more.
func (r *reader) place(realtime bool) error {
	if r.cpu >= 0 {
		var set unix.CPUSet
		set.Set(r.cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("pin to CPU %d: %w", r.cpu, err)
		}
	}
	if !realtime {
		return nil
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("SCHED_FIFO: %w", err)
	}
	return nil
}

func (r *reader) handle(i int) {
	data, fromKernel := r.batch.message(i)
	if !fromKernel {
		r.foreign.Add(1)
		return
	}
	m, ok := parseMessage(data)
	if !ok || m.PID != m.Thread {
		return // a thread's, or an answer to listen: the filter drops them, too
	}
	rec := record{pid: m.PID, parent: m.Parent, wait: m.Wait, time: m.Time}
	switch m.What {
	case whatFork:
		rec.kind = recordFork
	case whatExit:
		rec.kind = recordExit
	case whatExec:
		r.exec(&rec)
		r.handled.Store(m.Time)
		return
	}
	r.put(&rec, nil)
	r.handled.Store(m.Time)
}

// exec reads the process at once: it may be gone in 50 µs.
func (r *reader) exec(rec *record) {
	r.reading.Store(int64(procfs.Clock{}.Now()))
	raw, err := r.proc.Read(rec.pid)
	r.reading.Store(0)
	rec.read = uint64(procfs.Clock{}.Monotonic())
	if err != nil {
		rec.kind = recordGone
		r.gone.Add(1)
		raw = nil
	} else {
		rec.kind = recordExec
	}
	r.put(rec, raw)
}

func (r *reader) put(rec *record, raw *procfs.Raw) {
	size := recordSize
	if raw != nil {
		size += raw.EncodedSize()
	}
	b := r.ring.reserve(size)
	if b == nil {
		r.full.Add(1)
		return
	}
	rec.encode(b)
	if raw != nil {
		raw.Encode(b[recordSize:])
	}
	r.ring.commit(size)
}

// doorbell wakes the pump. Ringing it costs a system call only while the pump
// sleeps.
type doorbell struct {
	sleeping atomic.Bool
	fd       int // eventfd
}

func (d *doorbell) ring() {
	if d.sleeping.CompareAndSwap(true, false) {
		one := uint64(1)
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(d.fd), uintptr(unsafe.Pointer(&one)), 8)
	}
}
