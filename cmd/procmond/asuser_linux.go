package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// asUser runs f with a user's permissions on files: what f reads of a user's
// tree the user could have read. Only this thread's file system ids change, and
// with them the kernel takes the capabilities that override permissions from it
// (capabilities(7), "Effect of user ID changes"); Go never starts a thread from
// one that is locked. Groups other than the user's own are not looked up, as
// that could ask a directory service: files that only they may read stay unread.
func asUser(uid, gid uint32, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Root's own other groups must not open anything. Root needs none of them.
	_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(gid), 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
	defer func() {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(unix.Geteuid()), 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(unix.Getegid()), 0, 0)
	}()
	f()
}
