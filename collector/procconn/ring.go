package procconn

import (
	"encoding/binary"
	"sync/atomic"
)

// ring carries records from one reader to the pump without a lock: the reader
// runs in real time and must never wait for a thread that does not. A record
// lies in one piece; one that does not fit is refused.
type ring struct {
	buf  []byte        // length is a power of two
	head atomic.Uint64 // written by the reader: bytes ever put, padding included
	tail atomic.Uint64 // written by the pump: bytes ever taken
}

// recordHeader is the size in front of each record; a size of wrap says that
// the rest up to the end of the buffer is empty.
const (
	recordHeader = 8
	wrap         = ^uint32(0)
)

// newRing makes a ring of at least size bytes.
func newRing(size int) *ring {
	n := 1 << 12
	for n < size {
		n *= 2
	}
	return &ring{buf: make([]byte, n)}
}

// reserve gives room for a record of size bytes, or nil. The record is the
// pump's after commit.
func (r *ring) reserve(size int) []byte {
	need := align(recordHeader + size)
	head, free := r.head.Load(), len(r.buf)-int(r.head.Load()-r.tail.Load())
	at := int(head) & (len(r.buf) - 1)
	if rest := len(r.buf) - at; rest < need {
		if free < rest+need {
			return nil
		}
		binary.NativeEndian.PutUint32(r.buf[at:], wrap)
		head += uint64(rest)
		at = 0
		r.head.Store(head)
	} else if free < need {
		return nil
	}
	binary.NativeEndian.PutUint32(r.buf[at:], uint32(size))
	return r.buf[at+recordHeader : at+recordHeader+size]
}

// commit hands the reserved record to the pump.
func (r *ring) commit(size int) { r.head.Add(uint64(align(recordHeader + size))) }

// next gives the oldest record, or nil. It holds until release.
func (r *ring) next() []byte {
	for {
		tail := r.tail.Load()
		if tail == r.head.Load() {
			return nil
		}
		at := int(tail) & (len(r.buf) - 1)
		size := binary.NativeEndian.Uint32(r.buf[at:])
		if size != wrap {
			return r.buf[at+recordHeader : at+recordHeader+int(size)]
		}
		r.tail.Add(uint64(len(r.buf) - at))
	}
}

// release gives the oldest record's room back.
func (r *ring) release(size int) { r.tail.Add(uint64(align(recordHeader + size))) }

func align(n int) int { return (n + 7) &^ 7 }
