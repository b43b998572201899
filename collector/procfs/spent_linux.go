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

// maxSmall is more than the small files that are read here have.
const maxSmall = 4 << 10

// Spent reads what one process has used. ErrGone: there is no such process.
func (r *Reader) Spent(pid int32) (Spent, error) {
	dir, err := unix.Openat(int(r.c.root), strconv.Itoa(int(pid)), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Spent{}, goneOr("open /proc/"+strconv.Itoa(int(pid)), err)
	}
	defer unix.Close(dir)
	stat, io, status := small(dir, "stat"), small(dir, "io"), small(dir, "status")
	if len(stat) == 0 {
		return Spent{}, ErrGone // reaped between the open and the read
	}
	return parseSpent(stat, io, status)
}

// small reads a file that comes whole in one read; empty when it can't.
func small(dir int, name string) []byte {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	room := make([]byte, maxSmall)
	n, err := unix.Read(fd, room)
	if err != nil {
		return nil
	}
	return room[:n]
}
