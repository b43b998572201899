package jobmap

import (
	"os"

	"golang.org/x/sys/unix"
)

// openBeneath opens a file below a directory for reading. It follows no link,
// crosses into no other file system, whose owner could let the open hang, and
// waits for no pipe's other end.
func openBeneath(dir, name string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := unix.Openat2(int(d.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: dir + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), dir+"/"+name), nil
}
