package procconn

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// connection is what netlink.Conn and genetlink.Conn have in common.
type connection interface {
	SyscallConn() (syscall.RawConn, error)
	Close() error
}

// detach takes the socket out of a connection and closes that. Go's poller
// watches the sockets of connections: each message would wake one of its threads
// for nothing, and a CPU on which a thread falls asleep looks for work elsewhere
// and takes the very process that waits behind its reader.
func detach(conn connection) (fd int, err error) {
	defer func() { _ = conn.Close() }()
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	if err != nil {
		return -1, fmt.Errorf("dup: %w", err)
	}
	return fd, nil
}
