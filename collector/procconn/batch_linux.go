package procconn

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch receives many netlink messages with one system call, into memory of
// its own.
type batch struct {
	headers []mmsghdr
	names   []unix.RawSockaddrNetlink
	vectors []unix.Iovec
	bufs    [][]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// batchSize is how many messages are taken at once.
const batchSize = 64

// newBatch makes a batch of n messages of up to size bytes each.
func newBatch(n, size int) *batch {
	b := &batch{
		headers: make([]mmsghdr, n), names: make([]unix.RawSockaddrNetlink, n),
		vectors: make([]unix.Iovec, n), bufs: make([][]byte, n),
	}
	memory := make([]byte, n*size)
	for i := range n {
		b.bufs[i] = memory[i*size : (i+1)*size]
		b.vectors[i].Base = &b.bufs[i][0]
		b.vectors[i].SetLen(size)
		h := &b.headers[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&b.names[i])), unix.SizeofSockaddrNetlink
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
	}
	return b
}

// receive takes what is there and does not wait: EAGAIN when there is nothing,
// ENOBUFS once for each time that the socket's buffer overflowed.
func (b *batch) receive(fd int) (int, unix.Errno) {
	for i := range b.headers {
		b.headers[i].header.Namelen = unix.SizeofSockaddrNetlink
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(len(b.headers)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// message gives a received message, and whether the kernel sent it: a process
// may send to a multicast group, too, but not under the kernel's port.
func (b *batch) message(i int) (data []byte, fromKernel bool) {
	return b.bufs[i][:min(int(b.headers[i].length), len(b.bufs[i]))], b.names[i].Pid == 0
}

// drops asks a socket how many messages did not fit since it was made (Linux
// 4.12).
func drops(fd int) (uint32, error) {
	// Indices into what SO_MEMINFO gives (include/uapi/linux/sock_diag.h).
	const (
		memDrops = 8
		memVars  = 9
	)
	var info [memVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return info[memDrops], nil
}
