package procconn

import "encoding/binary"

// recordKind is what a ring's record tells.
type recordKind uint8

const (
	recordFork recordKind = iota + 1
	recordExec            // a procfs.Raw follows
	recordGone            // an execve whose process could not be read
	recordExit
)

// recordSize is the length of a record's fixed part.
const recordSize = 32

// record is the fixed part of what travels through a ring.
type record struct {
	kind   recordKind
	pid    int32
	parent int32
	wait   uint32
	time   uint64 // CLOCK_MONOTONIC
	read   uint64 // the same clock when the process was read
}

func (r *record) encode(b []byte) {
	ne := binary.NativeEndian
	ne.PutUint32(b, uint32(r.kind))
	ne.PutUint32(b[4:], uint32(r.pid))
	ne.PutUint32(b[8:], uint32(r.parent))
	ne.PutUint32(b[12:], r.wait)
	ne.PutUint64(b[16:], r.time)
	ne.PutUint64(b[24:], r.read)
}

func decodeRecord(b []byte) (r record, rest []byte) {
	ne := binary.NativeEndian
	return record{
		kind: recordKind(ne.Uint32(b)), pid: int32(ne.Uint32(b[4:])), parent: int32(ne.Uint32(b[8:])),
		wait: ne.Uint32(b[12:]), time: ne.Uint64(b[16:]), read: ne.Uint64(b[24:]),
	}, b[recordSize:]
}
