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
// travels as one run of bytes, and is turned into a Process where there is
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

// DecodeRaw reads what a Reader in C has written (struct procfs_raw). The result
// shares b's memory.
func DecodeRaw(b []byte) (Raw, error) {
	var r Raw
	if len(b) < headerSize {
		return r, fmt.Errorf("raw process: %w: %d bytes", ErrFormat, len(b))
	}
	ne := binary.NativeEndian
	r.PID = int32(ne.Uint32(b))
	r.ArgsBytes = int(ne.Uint32(b[4:]))
	r.ArgsCount = int(ne.Uint32(b[8:]))
	r.Missing = procmon.Missing(ne.Uint32(b[12:]))
	r.buf = b[headerSize:]
	total := uint64(0)
	for i := range r.size {
		r.size[i] = ne.Uint32(b[16+4*i:])
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
