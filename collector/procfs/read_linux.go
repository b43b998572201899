package procfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"procmon"
)

// #cgo CFLAGS: -O2 -Wall -Wextra
// #include <stdlib.h>
// #include "read_linux.h"
import "C"

// Reader reads processes, one at a time; it is not safe for concurrent use.
// It allocates when it is made and not afterwards, and its reading is C, so that
// a thread that Go's scheduler knows nothing of can do it.
//
// A read can hang. The kernel refuses to read file-backed memory of a process
// here since it closed CVE-2018-1120, but stat, environ and the links wait for
// an execve that is going on, and that one may wait for a user's filesystem
// (a FUSE file that is closed on exec; seen on Linux 6.18). It holds up nothing
// but its own thread: whoever uses a Reader watches it, as Guard and the process
// connector's pump do.
type Reader struct {
	c   *C.struct_procfs_reader
	raw Raw
}

// NewReader makes a Reader of the /proc mounted at root. It keeps maxArgs bytes
// of each argument list and the variables that filter lets through.
func NewReader(root string, filter *EnvFilter, maxArgs int) (*Reader, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	c := (*C.struct_procfs_reader)(C.calloc(1, C.sizeof_struct_procfs_reader))
	c.root, c.max_args = C.int(fd), C.uint32_t(maxArgs)
	c.max_env, c.max_variable = maxEnviron, maxVariable
	for section, missing := range map[int]procmon.Missing{
		secArgs: procmon.MissingArgs, secEnv: procmon.MissingEnv, secExe: procmon.MissingExe, secCwd: procmon.MissingCwd,
		secCgroup: procmon.MissingCgroup, secStat: procmon.MissingStat, secStatus: procmon.MissingStatus,
	} {
		c.missing[section] = C.uint32_t(missing)
	}
	c.raw = (*C.struct_procfs_raw)(C.malloc(C.size_t(MaxRaw(maxArgs))))
	c.scratch = (*C.char)(C.malloc(C.PROCFS_SCRATCH))
	setRules(c, filter)
	return &Reader{c: c}, nil
}

// MaxRaw is the longest encoded Raw that a Reader gives that keeps maxArgs bytes
// of an argument list.
func MaxRaw(maxArgs int) int {
	return headerSize + maxArgs + maxEnviron + 3*C.PROCFS_MAX_LINK + C.PROCFS_MAX_CGROUP + 2*C.PROCFS_MAX_SMALL
}

// setRules copies the filter to where C may keep it.
func setRules(c *C.struct_procfs_reader, filter *EnvFilter) {
	rules := slices.Concat(filter.keep[:]...)
	c.rules = (*C.struct_procfs_rule)(C.calloc(C.size_t(len(rules)+1), C.sizeof_struct_procfs_rule))
	to := unsafe.Slice(c.rules, len(rules))
	for i, r := range rules {
		to[i] = C.struct_procfs_rule{name: C.CString(r.name), length: C.uint32_t(len(r.name)), prefix: number(r.prefix), drop: number(r.drop)}
	}
	n := 0
	for i := range filter.keep {
		c.first[i] = C.uint32_t(n)
		n += len(filter.keep[i])
	}
	c.first[256] = C.uint32_t(n)
}

func number(b bool) C.uint8_t {
	if b {
		return 1
	}
	return 0
}

// Close gives back what the Reader holds. It must not be reading.
func (r *Reader) Close() error {
	err := unix.Close(int(r.c.root))
	for _, rule := range unsafe.Slice(r.c.rules, r.c.first[256]) {
		C.free(unsafe.Pointer(rule.name))
	}
	C.free(unsafe.Pointer(r.c.rules))
	C.free(unsafe.Pointer(r.c.raw))
	C.free(unsafe.Pointer(r.c.scratch))
	C.free(unsafe.Pointer(r.c))
	r.c = nil
	return err
}

// Read copies the process's files. The Raw is the Reader's own and holds until
// the next Read. ErrGone: there is no such process.
func (r *Reader) Read(pid int32) (*Raw, error) {
	if errno := C.procfs_read(r.c, C.int32_t(pid)); errno != 0 {
		return nil, goneOr("read /proc/"+strconv.Itoa(int(pid)), unix.Errno(errno))
	}
	var err error
	r.raw, err = DecodeRaw(unsafe.Slice((*byte)(unsafe.Pointer(r.c.raw)), headerSize+r.c.length))
	return &r.raw, err
}

// Native is the Reader's struct procfs_reader and the C function that reads with
// it, for a thread in C. The Reader must not be used meanwhile.
func (r *Reader) Native() (reader, function unsafe.Pointer) {
	return unsafe.Pointer(r.c), C.procfs_read
}

// goneOr makes ErrGone of the two errors that mean it.
func goneOr(what string, err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return fmt.Errorf("%s: %w", what, err)
}
