package procconn

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"procmon/collector/procfs"
)

// #cgo CFLAGS: -O2 -Wall -Wextra
// #cgo LDFLAGS: -pthread
// #include <stdlib.h>
// #include "reader_linux.h"
import "C"

// reader listens to the events of some CPUs. Its loop is C (reader_linux.c) and
// runs on a thread of its own.
type reader struct {
	place
	fd   int
	proc *procfs.Reader
	c    *C.struct_procconn_reader
	ring ring

	started   bool
	abandoned bool   // another reader has the socket now
	told      tally  // what the pump has told of its losses
	until     uint64 // how far the pump drains its ring this time
}

// newReader makes a reader of some CPUs' events and lets the kernel begin to
// queue them.
func newReader(p place, cfg *Config, readers int) (*reader, error) {
	fd, err := listenTo([]cpuRange{p.takes}, cfg.BufferBytes/readers)
	if err != nil {
		return nil, fmt.Errorf("process connector: %w", err)
	}
	r, err := makeReader(p, fd, cfg, ringSize(cfg, readers))
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return r, nil
}

// ringSize is one reader's share, but never too little for the longest record:
// one that begins near the end of the ring needs room before and behind it. The
// kernel gives memory only for what was ever in use.
func ringSize(cfg *Config, readers int) int {
	longest := align(recordHeader + recordSize + procfs.MaxRaw(cfg.MaxArgs))
	return max(align(cfg.RingBytes/readers), 2*longest)
}

// makeReader makes a reader of a socket that listens.
func makeReader(p place, fd int, cfg *Config, size int) (*reader, error) {
	proc, err := procfs.NewReader(cfg.Proc, cfg.Env, cfg.MaxArgs)
	if err != nil {
		return nil, err
	}
	// Memory that the kernel gives when it is touched, outside Go's heap.
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ring of %d bytes: %w", size, err), proc.Close())
	}
	c := (*C.struct_procconn_reader)(C.aligned_alloc(64, C.sizeof_struct_procconn_reader))
	*c = C.struct_procconn_reader{fd: C.int(fd)}
	c.ring.buf, c.ring.length = (*C.char)(unsafe.Pointer(&buf[0])), C.uint64_t(size)
	native, read := proc.Native()
	c.proc = (*C.struct_procfs_reader)(native)
	*(*unsafe.Pointer)(unsafe.Pointer(&c.read)) = read
	r := &reader{place: p, fd: fd, proc: proc, c: c}
	r.ring = ring{cpu: p.cpu, buf: buf, head: shared64(&c.ring.head), tail: shared64(&c.ring.tail)}
	return r, nil
}

// shared64 is a counter of which the other side is C.
func shared64(p *C.uint64_t) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(p)) }

func shared32(p *C.uint32_t) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(p)) }

func (r *reader) idle() bool      { return shared32(&r.c.idle).Load() != 0 }
func (r *reader) ended() bool     { return shared32(&r.c.ended).Load() != 0 }
func (r *reader) handled() uint64 { return shared64(&r.c.handled).Load() }

// reading is when the read that goes on began, CLOCK_MONOTONIC; 0: none.
func (r *reader) reading() uint64 { return shared64(&r.c.reading).Load() }

// failed is what ended the loop, if anything did.
func (r *reader) failed() error {
	if errno := shared32(&r.c.failure).Load(); errno != 0 {
		return fmt.Errorf("reader of CPU %d: %w", r.cpu, unix.Errno(errno))
	}
	return nil
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
	// The kernel doubles what it is asked for, and counts its overhead.
	if err := conn.SetReadBuffer(buffer / 2); err != nil {
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

// start begins the loop. A reader that is not where it should be still reads; it
// only misses more.
func (r *reader) start(bell *doorbell, stop int, realtime bool) (placed error, err error) {
	r.c.bell, r.c.stop = C.int(bell.fd), C.int(stop)
	r.c.sleeping = (*C.uint32_t)(unsafe.Pointer(&bell.memory[0]))
	var where C.int
	if errno := C.procconn_start(r.c, C.int(r.cpu), C.int(boolInt(realtime)), &where); errno != 0 {
		return nil, fmt.Errorf("reader of CPU %d: thread: %w", r.cpu, unix.Errno(errno))
	}
	r.started = true
	if where != 0 {
		placed = fmt.Errorf("pin to CPU %d, SCHED_FIFO: %w", r.cpu, unix.Errno(where))
	}
	return placed, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// replacement makes a reader that goes on where this one hangs.
func (r *reader) replacement(cfg *Config) (*reader, error) {
	n, err := makeReader(r.place, r.fd, cfg, len(r.ring.buf))
	if err != nil {
		return nil, err
	}
	n.told.drops = r.told.drops
	shared64(&n.c.handled).Store(r.handled())
	return n, nil
}

// abandon ends the loop when the read that hangs returns.
func (r *reader) abandon() {
	r.abandoned = true
	shared32(&r.c.abandoned).Store(1)
}

// unsubscribe ends the subscription. A kernel before 6.6 counts listeners and
// has to be told.
func (r *reader) unsubscribe() error {
	m := netlink.Message{Header: netlink.Header{Type: netlink.Done}, Data: listen(opIgnore, 0)}
	m.Header.Length = uint32(unix.SizeofNlMsghdr + len(m.Data))
	if b, err := m.MarshalBinary(); err == nil {
		_ = unix.Sendto(r.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	return unix.Close(r.fd)
}

// free gives back the reader's memory, unless its thread may still come back
// to it.
func (r *reader) free() error {
	if r.started && !r.ended() {
		return nil
	}
	err := errors.Join(r.proc.Close(), unix.Munmap(r.ring.buf))
	C.free(unsafe.Pointer(r.c))
	r.c, r.ring.buf = nil, nil
	return err
}

// repin puts the reader's thread back on its CPU, from which the kernel takes it
// when that goes offline or out of the daemon's cpuset.
func (r *reader) repin() error {
	var set unix.CPUSet
	set.Set(r.cpu)
	if err := unix.SchedSetaffinity(int(shared32(&r.c.thread).Load()), &set); err != nil {
		return fmt.Errorf("pin to CPU %d: %w", r.cpu, err)
	}
	return nil
}

// refilter makes the socket give the events of other CPUs from now on.
func (r *reader) refilter(cpus []cpuRange) error {
	prog, err := filter(cpus)
	if err != nil {
		return err
	}
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: (*unix.SockFilter)(unsafe.Pointer(&prog[0]))}
	return unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p)
}

// sharedAt is the number at the beginning of memory that C sees, too.
func sharedAt(memory []byte) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&memory[0])) }
