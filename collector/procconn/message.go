package procconn

import (
	"encoding/binary"
)

// The kinds of message that procmon listens to (include/uapi/linux/cn_proc.h,
// enum proc_cn_event).
const (
	whatFork = 0x00000001
	whatExec = 0x00000002
	whatExit = 0x80000000
)

// Offsets into a message: nlmsghdr (16 bytes), cn_msg (20), proc_event.
const (
	offWhat     = 36
	offCPU      = 40
	offTime     = 44
	offData     = 52
	messageSize = 76
)

// message is one event as the kernel tells it.
type message struct {
	What   uint32
	CPU    uint32
	Time   uint64 // CLOCK_MONOTONIC, nanoseconds
	PID    int32  // thread group id of the process: exec, exit; of the child: fork
	Thread int32  // thread id of the same
	Parent int32  // thread group id, fork
	Wait   uint32 // exit: as wait(2) has it
}

// parseMessage reads one netlink message. It says no to anything that is not a
// whole event of the kinds listened to.
func parseMessage(b []byte) (m message, ok bool) {
	if len(b) < messageSize {
		return m, false
	}
	ne := binary.NativeEndian
	m = message{What: ne.Uint32(b[offWhat:]), CPU: ne.Uint32(b[offCPU:]), Time: ne.Uint64(b[offTime:])}
	data := func(i int) uint32 { return ne.Uint32(b[offData+4*i:]) }
	switch m.What {
	case whatFork: // parent pid, parent tgid, child pid, child tgid
		m.Parent, m.Thread, m.PID = int32(data(1)), int32(data(2)), int32(data(3))
	case whatExec: // pid, tgid
		m.Thread, m.PID = int32(data(0)), int32(data(1))
	case whatExit: // pid, tgid, exit code, exit signal
		m.Thread, m.PID, m.Wait = int32(data(0)), int32(data(1)), data(2)
	default:
		return m, false
	}
	return m, m.PID > 0
}

// listen is the message that asks the kernel to send events
// (PROC_CN_MCAST_LISTEN). With a mask (struct proc_input, Linux 6.6) the kernel
// sends only those kinds; an older kernel ignores what follows the operation.
func listen(op, mask uint32) []byte {
	const (
		cnIdxProc, cnValProc = 1, 1
	)
	ne := binary.NativeEndian
	b := make([]byte, 20, 28)
	ne.PutUint32(b[0:], cnIdxProc)
	ne.PutUint32(b[4:], cnValProc)
	size := uint16(4)
	if mask != 0 {
		size = 8
	}
	ne.PutUint16(b[16:], size)
	b = ne.AppendUint32(b, op)
	if mask != 0 {
		b = ne.AppendUint32(b, mask)
	}
	return b
}

// Operations of listen (enum proc_cn_mcast_op).
const (
	opListen = 1
	opIgnore = 2
)
