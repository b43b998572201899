package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the kernel's overflow user, who owns nothing.
const nobody = 65534

// drop makes a process of root's nobody's, with the index's group and no other, where that
// group may read the index: then it may do what a member of the group may, whatever a
// question makes of it. It stays root's where only root can read the index.
//
// Having been root's, the process cannot be traced by others of nobody's.
func drop(index string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(index, &st); err != nil || st.Gid == 0 || st.Mode&0o040 == 0 {
		return nil // that there is no index, who opens it says
	}
	gid := int(st.Gid)
	// The saved user stays root until it is sure that the index can be read so: a directory above may be closed.
	err := errors.Join(syscall.Setgroups([]int{}), syscall.Setresgid(gid, gid, gid), syscall.Setresuid(-1, nobody, -1))
	switch {
	case err != nil:
	case !readableHere(index):
		err = errors.Join(syscall.Setresuid(-1, 0, -1), syscall.Setresgid(0, 0, 0))
	default:
		err = errors.Join(syscall.Setresuid(nobody, nobody, nobody), unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	}
	if err != nil {
		return fmt.Errorf("becoming nobody: %w", err)
	}
	return nil
}

// readableHere says whether this process may read an index and what SQLite keeps beside it.
func readableHere(index string) bool {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := unix.Faccessat(unix.AT_FDCWD, index+suffix, unix.R_OK, unix.AT_EACCESS)
		if err != nil && (suffix == "" || !errors.Is(err, unix.ENOENT)) {
			return false
		}
	}
	return true
}
