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

// waitReadable blocks until one of the descriptors can be read. It tells Go's
// scheduler, so that a waiting reader holds up nobody.
func waitReadable(fds *[2]unix.PollFd) {
	fds[0].Revents, fds[1].Revents = 0, 0
	_, _, _ = unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), 2, 0, 0, 0, 0)
}

// Indices into what SO_MEMINFO gives (include/uapi/linux/sock_diag.h).
const (
	memRmemAlloc = 0
	memDrops     = 8
	memVars      = 9
)

// memInfo asks a socket how many bytes wait in it and how many messages did
// not fit since it was made (Linux 4.12).
func memInfo(fd int) (waiting, drops uint32, err error) {
	var info [memVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, 0, errno
	}
	return info[memRmemAlloc], info[memDrops], nil
}
