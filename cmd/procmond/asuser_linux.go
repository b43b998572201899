package main

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"procmon"
)

// asUser runs f with the permissions on files of a process's user: what f reads
// of a user's tree that process could have read. Only this thread's file system
// ids and groups change, and with them the kernel takes the capabilities that
// override permissions from it (capabilities(7), "Effect of user ID changes");
// Go never starts a thread from one that is locked.
func (g *userGroups) asUser(p *procmon.Process, f func()) {
	groups := g.of(p)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setThreadGroups(groups)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(p.GID), 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(p.UID), 0, 0)
	defer func() {
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(unix.Geteuid()), 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(unix.Getegid()), 0, 0)
		setThreadGroups(nil) // root's own must open nothing for the next user, and root needs none
	}()
	f()
}

// setThreadGroups sets the supplementary groups of this thread alone, by the
// bare system call (setgroups(2), "C library/kernel differences"): none of them
// where these are refused.
func setThreadGroups(groups []uint32) {
	if len(groups) > 0 {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno == 0 {
			return
		}
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
}
