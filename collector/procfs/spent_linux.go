package procfs

import (
	"context"
	"strconv"

	"golang.org/x/sys/unix"

	"procmon"
)

// Measure gives what live runs have used so far: what is booked of each, and
// what its processes have used since it owns them; zero where nothing can be
// read. A process that can't be read now is left out, and costs a second.
func (c *Census) Measure(ctx context.Context, runs []procmon.LiveRun) ([]procmon.Usage, error) {
	usages := make([]procmon.Usage, len(runs))
	for i := range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		usages[i] = usageOf(&runs[i], c.guard.Spent)
	}
	return usages, nil
}

// Spent reads what one process has used. ErrGone: there is none; ErrStuck: it
// can't be read now.
func (g *Guard) Spent(pid int32) (Spent, error) {
	a := g.ask(request{pid: pid, spent: true})
	return a.spent, a.err
}

var nameIO = []byte("io\x00")

// Spent reads what one process has used. ErrGone: there is no such process.
func (r *Reader) Spent(pid int32) (Spent, error) {
	var name [12]byte
	dir, errno := openat(r.root, append(strconv.AppendInt(name[:0], int64(pid), 10), 0), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if errno != 0 {
		return Spent{}, goneOr("open /proc/"+strconv.Itoa(int(pid)), errno)
	}
	defer closeFD(dir)
	stat := r.small(dir, nameStat, r.scratch[:maxSmall])
	io := r.small(dir, nameIO, r.scratch[maxSmall:2*maxSmall])
	status := r.small(dir, nameStatus, r.scratch[2*maxSmall:3*maxSmall])
	if len(stat) == 0 {
		return Spent{}, ErrGone // reaped between the open and the read
	}
	return parseSpent(stat, io, status)
}

// small reads a file that comes whole in one read; empty when it can't.
func (r *Reader) small(dir int, name, room []byte) []byte {
	fd, errno := openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil
	}
	defer closeFD(fd)
	n, _ := read(fd, room)
	return room[:n]
}
