package appmap

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const nonblock = unix.O_NONBLOCK

// openFiles opens the root. Where the kernel has no openat2(2) (before Linux
// 5.6), or a filter forbids it, os.Root serves.
func openFiles(root string) (*files, error) {
	if root == "" {
		root = "/"
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	k := kernelFiles{os.NewFile(uintptr(fd), root)}
	probe, err := k.dir("/")
	if err == nil {
		probe.Close()
		return &files{root: root, beneath: k}, nil
	}
	k.close()
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &files{root: root, beneath: rootFiles{r}}, nil
}

// kernelFiles reads through openat2(2).
type kernelFiles struct{ root *os.File }

// dir opens a directory as a place only. Symbolic links on the way to it are
// followed inside the root, as a chroot would do.
func (k kernelFiles) dir(dir string) (*os.File, error) {
	return openat2(k.root, dir, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_IN_ROOT)
}

func openat2(at *os.File, name string, flags, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(at.Fd()), name, &how)
	for err == unix.EINTR || err == unix.EAGAIN { // a rename raced with the walk
		fd, err = unix.Openat2(int(at.Fd()), name, &how)
	}
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// open first takes the file as a place (O_PATH), which touches no device and
// waits for no FIFO, and opens it for reading once it is known to be plain.
func (k kernelFiles) open(dir, name string, limit int64) (*os.File, error) {
	d, err := k.dir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	place, err := openat2(d, name, unix.O_PATH, unix.RESOLVE_BENEATH)
	if err != nil {
		return nil, err
	}
	defer place.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(place.Fd()), &st); err != nil {
		return nil, &os.PathError{Op: "fstat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > limit {
		return nil, fmt.Errorf("%w: %s/%s", errNotPlain, dir, name)
	}
	return reopen(place)
}

func reopen(place *os.File) (*os.File, error) {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(place.Fd())), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: place.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), place.Name()), nil
}

func (k kernelFiles) openDir(dir string) (*os.File, error) {
	return openat2(k.root, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, unix.RESOLVE_IN_ROOT)
}

func (k kernelFiles) stat(dir, name string) (os.FileInfo, error) {
	place, err := openat2(k.root, dir+"/"+name, unix.O_PATH, unix.RESOLVE_IN_ROOT)
	if err != nil {
		return nil, err
	}
	defer place.Close()
	return place.Stat()
}

func (k kernelFiles) close() error { return k.root.Close() }
