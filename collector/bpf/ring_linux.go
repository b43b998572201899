package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring reads the programs' ring buffer where it lies (kernel/bpf/ringbuf.c). The
// data area is mapped once: twice in a row, as is the custom, would save copying
// the one record that goes over the end, and count double as resident memory.
type ring struct {
	consumer []byte // a page that begins with the position read up to
	producer []byte // a page that begins with the position written up to, then the data
	data     []byte // of producer
	scratch  []byte // a record that goes over the end
}

// A record's header: its length with two flags, and a field of the kernel's own.
const (
	ringHeader  = 8
	ringBusy    = 1 << 31 // being written
	ringDiscard = 1 << 30
)

func openRing(fd, size int) (*ring, error) {
	page := os.Getpagesize()
	r := &ring{}
	var err error
	if r.consumer, err = unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("ring: %w", err)
	}
	if r.producer, err = unix.Mmap(fd, int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, errors.Join(fmt.Errorf("ring: %w", err), r.close())
	}
	r.data = r.producer[page:]
	return r, nil
}

func (r *ring) close() error {
	var errs []error
	for _, m := range [][]byte{r.consumer, r.producer} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	r.consumer, r.producer, r.data = nil, nil, nil
	return errors.Join(errs...)
}

// each hands on every record until there is none, or one is being written: its
// end wakes the reader again. A record is valid during the call.
func (r *ring) each(f func(record []byte)) {
	read, written := counter(r.consumer), counter(r.producer)
	size := uint64(len(r.data))
	for at := read.Load(); at < written.Load(); {
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at%size])))
		if head&ringBusy != 0 {
			return
		}
		n := uint64(head &^ (ringBusy | ringDiscard))
		if head&ringDiscard == 0 {
			f(r.record((at+ringHeader)%size, n))
		}
		at += ringHeader + (n+7)/8*8
		read.Store(at)
	}
}

// waiting is how many bytes were written and not read.
func (r *ring) waiting() uint64 {
	return counter(r.producer).Load() - counter(r.consumer).Load()
}

func (r *ring) size() uint64 { return uint64(len(r.data)) }

// record is n bytes of the data.
func (r *ring) record(at, n uint64) []byte {
	if at+n <= uint64(len(r.data)) {
		return r.data[at : at+n]
	}
	r.scratch = append(append(r.scratch[:0], r.data[at:]...), r.data[:at+n-uint64(len(r.data))]...)
	return r.scratch
}

func counter(page []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&page[0])) }

// pollable gives a ring to the runtime's poller. A goroutine that blocks in a
// system call of its own keeps the runtime's monitor awake.
func pollable(fd int) (*os.File, error) {
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("ring: %w", err)
	}
	if err := unix.SetNonblock(copied, true); err != nil { // or NewFile would not poll it
		return nil, errors.Join(fmt.Errorf("ring: %w", err), unix.Close(copied))
	}
	return os.NewFile(uintptr(copied), "ring"), nil
}
