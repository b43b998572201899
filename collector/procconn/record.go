package procconn

import (
	"encoding/binary"
	"fmt"
)

// recordKind is what a ring's record tells.
type recordKind uint32

const (
	recordEvent recordKind = iota + 1
	recordExec             // the process follows, as procfs.DecodeRaw reads it
	recordGone             // an execve whose process could not be read
)

// record is what travels through a ring (struct procconn_record).
type record struct {
	kind    recordKind
	message message
	read    uint64 // CLOCK_MONOTONIC when the process was read
	process []byte
}

// Offsets into a record.
const (
	recordRead    = 8
	recordMessage = 16
	recordSize    = recordMessage + messageSize + 4
)

// decodeRecord takes a record apart; it shares b's memory.
func decodeRecord(b []byte) (r record, err error) {
	if len(b) < recordSize {
		return r, fmt.Errorf("record of %d bytes", len(b))
	}
	ne := binary.NativeEndian
	r = record{kind: recordKind(ne.Uint32(b)), read: ne.Uint64(b[recordRead:]), process: b[recordSize:]}
	var ok bool
	if r.message, ok = parseMessage(b[recordMessage : recordMessage+messageSize]); !ok {
		return r, fmt.Errorf("message % x", b[recordMessage:recordMessage+messageSize])
	}
	return r, nil
}

// recordTime is when the kernel made a record's event.
func recordTime(b []byte) uint64 {
	return binary.NativeEndian.Uint64(b[recordMessage+offTime:])
}
