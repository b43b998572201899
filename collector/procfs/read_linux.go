package procfs

import (
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"procmon"
)

// Reader reads processes, one at a time; it is not safe for concurrent use.
// It allocates when it is made and not afterwards.
//
// A read can hang. The kernel refuses to read file-backed memory of a process
// here since it closed CVE-2018-1120, but stat, environ and the links wait for
// an execve that is going on, and that one may wait for a user's filesystem
// (a FUSE file that is closed on exec; seen on Linux 6.18). So the system calls
// are ordinary ones, which hold up nothing but their own thread: whoever uses a
// Reader watches it, as Guard and the process connector's pump do.
type Reader struct {
	root    int // descriptor of /proc
	filter  *EnvFilter
	maxArgs int
	raw     Raw
	env     []byte // kept variables of the process being read
	scratch []byte
	last    byte // of the arguments read so far
}

// Longest of the small files that is read; the rest is cut. A cgroup file has
// up to 16 lines of at most a path's length each, mostly far less.
const (
	maxSmall   = 16 << 10
	maxLink    = 4 << 10
	maxScratch = 64 << 10
	// The kernel lets arguments and environment together be 6 MiB at most
	// (fs/exec.c, 3/4 of _STK_LIM): reading stops there even if the process
	// rewrites its memory behind the read.
	maxArea = 6 << 20
)

// NewReader makes a Reader of the /proc mounted at root. It keeps maxArgs bytes
// of each argument list and the variables that filter lets through.
func NewReader(root string, filter *EnvFilter, maxArgs int) (*Reader, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	return &Reader{
		root: fd, filter: filter, maxArgs: maxArgs,
		raw:     Raw{buf: make([]byte, 0, maxArgs+maxEnviron+3*maxLink+3*maxSmall)},
		env:     make([]byte, 0, maxEnviron),
		scratch: make([]byte, maxScratch),
	}, nil
}

// Close releases the descriptor of /proc.
func (r *Reader) Close() error { return unix.Close(r.root) }

// Read copies the process's files. The Raw is the Reader's own and holds until
// the next Read. ErrGone: there is no such process.
func (r *Reader) Read(pid int32) (*Raw, error) {
	raw := &r.raw
	*raw = Raw{PID: pid, buf: raw.buf[:0]}
	var name [12]byte
	dir, errno := openat(r.root, append(strconv.AppendInt(name[:0], int64(pid), 10), 0), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, goneOr("open /proc/"+strconv.Itoa(int(pid)), errno)
	}
	r.last = 0
	rest := r.readArgs(dir)
	r.readEnv(dir)
	r.readLink(dir, secExe, nameExe, procmon.MissingExe)
	if r.raw.Missing&procmon.MissingExe != 0 {
		// The address space may have gone while the arguments were read: they
		// count as whole only if it was still there afterwards.
		r.raw.Missing |= procmon.MissingArgs
	}
	r.readLink(dir, secCwd, nameCwd, procmon.MissingCwd)
	r.readLink(dir, secMountNS, nameMountNS, 0)
	r.readSmall(dir, secCgroup, nameCgroup, procmon.MissingCgroup)
	r.readSmall(dir, secStat, nameStat, procmon.MissingStat)
	r.readSmall(dir, secStatus, nameStatus, procmon.MissingStatus)
	if rest >= 0 {
		r.countRest(dir, rest)
	}
	closeFD(dir)
	if raw.Missing&procmon.MissingStatus != 0 {
		return nil, ErrGone // reaped between the open and the reads; whose it was is not known
	}
	return raw, nil
}

var (
	nameArgs    = []byte("cmdline\x00")
	nameEnv     = []byte("environ\x00")
	nameExe     = []byte("exe\x00")
	nameCwd     = []byte("cwd\x00")
	nameMountNS = []byte("ns/mnt\x00")
	nameCgroup  = []byte("cgroup\x00")
	nameStat    = []byte("stat\x00")
	nameStatus  = []byte("status\x00")
)

// readArgs reads the argument list up to what is kept of it. A longer one stays
// open, to be counted when everything else is read: it takes its time.
func (r *Reader) readArgs(dir int) (rest int) {
	fd, errno := openat(dir, nameArgs, unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		r.raw.Missing |= procmon.MissingArgs
		return -1
	}
	start := len(r.raw.buf)
	for r.maxArgs > len(r.raw.buf)-start {
		n, errno := read(fd, r.raw.buf[len(r.raw.buf):start+r.maxArgs])
		if n == 0 || errno != 0 {
			break
		}
		r.countArgs(r.raw.buf[len(r.raw.buf) : len(r.raw.buf)+n])
		r.raw.buf = r.raw.buf[:len(r.raw.buf)+n]
	}
	r.raw.size[secArgs] = uint32(len(r.raw.buf) - start)
	if r.raw.ArgsBytes == 0 {
		r.raw.Missing |= procmon.MissingArgs // a zombie's is empty; since Linux 5.18 a process has one argument at least
	}
	if len(r.raw.buf)-start < r.maxArgs {
		closeFD(fd)
		r.endArgs()
		return -1
	}
	return fd
}

// countRest counts what was not kept of a long argument list, and looks whether
// the process outlived that.
func (r *Reader) countRest(dir, fd int) {
	for r.raw.ArgsBytes < maxArea {
		n, errno := read(fd, r.scratch)
		if n == 0 || errno != 0 {
			break
		}
		r.countArgs(r.scratch[:n])
	}
	closeFD(fd)
	r.endArgs()
	_, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&nameExe[0])), uintptr(unsafe.Pointer(&r.scratch[0])), maxLink, 0, 0)
	if errno != 0 {
		r.raw.Missing |= procmon.MissingArgs
	}
}

func (r *Reader) countArgs(b []byte) {
	r.raw.ArgsBytes += len(b)
	for _, c := range b {
		if c == 0 {
			r.raw.ArgsCount++
		}
	}
	r.last = b[len(b)-1]
}

// endArgs counts a last argument that lacks its NUL.
func (r *Reader) endArgs() {
	if r.last != 0 {
		r.raw.ArgsCount++
	}
}

// readEnv reads the environment and keeps what the filter lets through.
func (r *Reader) readEnv(dir int) {
	fd, errno := openat(dir, nameEnv, unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		r.raw.Missing |= procmon.MissingEnv
		return
	}
	cut := envCut{filter: r.filter, kept: r.env[:0]}
	have, total := 0, 0
	for total < maxArea {
		n, errno := read(fd, r.scratch[have:])
		if errno != 0 {
			r.raw.Missing |= procmon.MissingEnv
		}
		if n == 0 || errno != 0 {
			break
		}
		total += n
		have += n
		used := cut.feed(r.scratch[:have], false)
		if used == 0 && have == len(r.scratch) { // one variable fills the buffer: keep its beginning
			if !cut.skip {
				cut.add(r.scratch[:maxVariable])
			}
			cut.skip, used = true, have
		}
		have = copy(r.scratch, r.scratch[used:have])
	}
	closeFD(fd)
	if have > 0 {
		cut.feed(r.scratch[:have], true)
	}
	r.raw.buf = append(r.raw.buf, cut.kept...)
	r.raw.size[secEnv] = uint32(len(cut.kept))
}

func (r *Reader) readLink(dir, section int, name []byte, missing procmon.Missing) {
	start := len(r.raw.buf)
	dst := r.raw.buf[start : start+maxLink]
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&dst[0])), uintptr(len(dst)), 0, 0)
	if errno != 0 {
		r.raw.Missing |= missing
		return
	}
	r.raw.buf = r.raw.buf[:start+int(n)]
	r.raw.size[section] = uint32(n)
}

func (r *Reader) readSmall(dir, section int, name []byte, missing procmon.Missing) {
	fd, errno := openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		r.raw.Missing |= missing
		return
	}
	// These files come whole in one read (single_open in fs/proc/base.c).
	start := len(r.raw.buf)
	n, _ := read(fd, r.raw.buf[start:start+maxSmall])
	r.raw.buf = r.raw.buf[:start+n]
	closeFD(fd)
	r.raw.size[section] = uint32(n)
	if n == 0 {
		r.raw.Missing |= missing
	}
}

func openat(dir int, name []byte, flags int) (int, unix.Errno) {
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), uintptr(flags), 0, 0, 0)
	return int(fd), errno
}

func read(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func closeFD(fd int) { _, _, _ = unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// goneOr makes ErrGone of the two errors that mean it.
func goneOr(what string, errno unix.Errno) error {
	if errors.Is(errno, unix.ENOENT) || errors.Is(errno, unix.ESRCH) {
		return ErrGone
	}
	return fmt.Errorf("%s: %w", what, errno)
}
