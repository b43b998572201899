package main

import (
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"procmon"
	"procmon/collector/procfs"
)

// userGroups tells the supplementary groups of processes. They are read of the
// process itself as long as it lives, never of a directory service, which could
// take its time. For one that is gone those of the user's last process count.
type userGroups struct {
	root string // "": /proc

	mu    sync.Mutex // guards what follows
	known map[uint32]knownGroups
}

type knownGroups struct {
	groups []uint32
	until  time.Time
}

// Bounds of what userGroups reads and remembers.
const (
	maxGroups    = 1024 // of one process; beyond them none count
	maxStatus    = 64 << 10
	groupsLife   = 10 * time.Minute
	maxGroupings = 10000
)

func (g *userGroups) of(p *procmon.Process) []uint32 {
	groups, alive := g.read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if k := g.known[p.UID]; !alive {
		if now.Before(k.until) {
			return k.groups
		}
		return nil
	}
	if g.known == nil || len(g.known) >= maxGroupings {
		g.known = map[uint32]knownGroups{}
	}
	g.known[p.UID] = knownGroups{groups, now.Add(groupsLife)}
	return groups
}

// read asks a process that is alive, and is the one that is meant, for its
// groups. Both files are read through one directory, which is of one process
// whoever gets its pid.
func (g *userGroups) read(p *procmon.Process) (groups []uint32, ok bool) {
	root := g.root
	if root == "" {
		root = "/proc"
	}
	dir, err := os.OpenRoot(root + "/" + strconv.Itoa(int(p.Run.Process.PID)))
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	text, err := readSmall(dir, "status")
	if err != nil {
		return nil, false
	}
	groups, err = procfs.ParseGroups(text)
	status, err2 := procfs.ParseStatus(text)
	if err != nil || err2 != nil || status.UID != p.UID || len(groups) > maxGroups {
		return nil, false
	}
	text, err = readSmall(dir, "stat")
	if err != nil {
		return nil, false
	}
	stat, err := procfs.ParseStat(text)
	id := procmon.ProcessID{PID: p.Run.Process.PID, Start: stat.Start}
	return groups, err == nil && p.Run.Process.Start != 0 && id.Same(p.Run.Process)
}

func readSmall(dir *os.Root, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxStatus))
}
