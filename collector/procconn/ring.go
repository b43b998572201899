package procconn

import (
	"encoding/binary"
	"sync/atomic"
)

// ring is the pump's end of what a reader fills (struct procconn_ring). A record
// lies in one piece behind its size.
type ring struct {
	cpu  int // the reader's, -1: none
	buf  []byte
	head *atomic.Uint64 // written by the reader: bytes ever put, padding included
	tail *atomic.Uint64 // written by the pump: bytes ever taken
}

// recordHeader is the size in front of each record; a size of wrap says that
// the rest up to the end of the buffer is empty.
const (
	recordHeader = 8
	wrap         = ^uint32(0)
)

// next gives the oldest record, or nil. It holds until release.
func (r *ring) next() []byte {
	for {
		tail := r.tail.Load()
		if tail == r.head.Load() {
			return nil
		}
		at := int(tail % uint64(len(r.buf)))
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
