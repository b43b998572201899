package procfs

import (
	"encoding/binary"
	"fmt"

	"procmon"
)

// The sections of a Raw, in the order in which they are read: what vanishes
// first when a process exits is read first.
const (
	secArgs = iota
	secEnv
	secExe
	secCwd
	secMountNS
	secCgroup
	secStat
	secStatus
	sections
)

// Raw is one process as the bytes that /proc gave. It is filled by a Reader,
// can travel as one run of bytes, and is turned into a Process where there is
// time for that.
type Raw struct {
	PID       int32
	ArgsBytes int
	ArgsCount int
	Missing   procmon.Missing

	size [sections]uint32
	buf  []byte // the sections, one behind the other
}

// headerSize is the length of a Raw's fixed part on its way through a ring.
const headerSize = 4 + 4 + 4 + 4 + 4*sections

// EncodedSize is the number of bytes that Encode writes.
func (r *Raw) EncodedSize() int { return headerSize + len(r.buf) }

// Encode writes r to b, which has room for EncodedSize bytes.
func (r *Raw) Encode(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(r.PID))
	le.PutUint32(b[4:], uint32(r.ArgsBytes))
	le.PutUint32(b[8:], uint32(r.ArgsCount))
	le.PutUint32(b[12:], uint32(r.Missing))
	for i, n := range r.size {
		le.PutUint32(b[16+4*i:], n)
	}
	copy(b[headerSize:], r.buf)
}

// DecodeRaw is the inverse of Encode. The result shares b's memory.
func DecodeRaw(b []byte) (Raw, error) {
	var r Raw
	if len(b) < headerSize {
		return r, fmt.Errorf("raw process: %w: %d bytes", ErrFormat, len(b))
	}
	le := binary.LittleEndian
	r.PID = int32(le.Uint32(b))
	r.ArgsBytes = int(le.Uint32(b[4:]))
	r.ArgsCount = int(le.Uint32(b[8:]))
	r.Missing = procmon.Missing(le.Uint32(b[12:]))
	r.buf = b[headerSize:]
	total := uint64(0)
	for i := range r.size {
		r.size[i] = le.Uint32(b[16+4*i:])
		total += uint64(r.size[i])
	}
	if total != uint64(len(r.buf)) {
		return r, fmt.Errorf("raw process: %w: %d bytes of %d", ErrFormat, len(r.buf), total)
	}
	return r, nil
}

func (r *Raw) section(i int) []byte {
	start := uint32(0)
	for _, n := range r.size[:i] {
		start += n
	}
	return r.buf[start : start+r.size[i]]
}
