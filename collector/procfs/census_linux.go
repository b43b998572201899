package procfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"procmon"
)

// Census finds what is alive. It is made for one Scan at a time.
type Census struct {
	root  string
	boot  string
	guard *Guard
	clock Clock
}

// readLimit is how long a census waits for one process. Reading takes tens of
// microseconds; only one that is held up takes longer.
const readLimit = time.Second

// NewCensus makes a Census of the /proc mounted at root, for the boot of that
// id; filter and maxArgs are as for a Reader.
func NewCensus(root, boot string, filter *EnvFilter, maxArgs int) (*Census, error) {
	if _, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	return &Census{root: root, boot: boot, guard: NewGuard(root, filter, maxArgs, readLimit)}, nil
}

// Close releases what the Census holds.
func (c *Census) Close() error { return c.guard.Close() }

// Scan gives every process that is alive, with the time at which it was read,
// in ascending order of pids. Kernel threads and zombies are left out. A
// process that ends meanwhile is left out as well: it is no error. Of one that
// can't be read now, nothing is given but its pid, and all parts are missing.
func (c *Census) Scan(ctx context.Context, found func(at procmon.BootNS, p *procmon.Process)) error {
	pids, err := c.pids()
	if err != nil {
		return err
	}
	ancestry := NewAncestry(func(pid int32) (*procmon.Process, error) { return c.Process(pid) })
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := c.clock.Now()
		p, err := c.Process(pid)
		switch {
		case errors.Is(err, ErrGone):
			continue
		case errors.Is(err, ErrStuck):
			p = Unread(pid)
			p.Boot = c.boot
			found(at, p)
			continue
		case err != nil:
			return err
		}
		ancestry.Exec(p)
		if p.Exe == "" && p.Missing&procmon.MissingExe != 0 {
			continue
		}
		p.Ancestors = ancestry.Of(p)
		found(at, p)
	}
	return nil
}

// Process reads one process as it is now, without its ancestors.
func (c *Census) Process(pid int32) (*procmon.Process, error) {
	p, err := c.guard.Process(pid)
	if err != nil {
		return nil, err
	}
	p.Boot = c.boot
	p.Read = c.clock.Now()
	p.Time = c.clock.Wall(p.Run.Process.Start.BootNS())
	p.Before = procmon.Counters{} // of earlier images nothing is known: all counts for this one
	return p, nil
}

// Explain reads one process with its ancestors.
func (c *Census) Explain(pid int32) (*procmon.Process, error) {
	p, err := c.Process(pid)
	if err != nil {
		return nil, err
	}
	p.Ancestors = NewAncestry(c.Process).Of(p)
	return p, nil
}

// Alive says whether the process still runs, a zombie leader with live threads
// included. It reads status, which nothing holds up; the pid alone counts, as
// status does not tell the start.
func (c *Census) Alive(id procmon.ProcessID) bool {
	b, err := os.ReadFile(c.root + "/" + strconv.Itoa(int(id.PID)) + "/status")
	return err == nil && !DeadStatus(b)
}

func (c *Census) pids() ([]int32, error) {
	dir, err := os.Open(c.root)
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	pids := make([]int32, 0, len(names))
	for _, name := range names {
		if pid, ok := parseUint([]byte(name)); ok && pid < 1<<31 {
			pids = append(pids, int32(pid))
		}
	}
	slices.Sort(pids)
	return pids, nil
}
