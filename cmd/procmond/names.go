package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"procmon"
	"procmon/appmap"
	"procmon/collector/procfs"
)

// userNames looks user names up and remembers them for a while. A directory
// service may take its time: the collector waits for nobody here.
type userNames struct {
	mu    sync.Mutex // guards known
	known map[uint32]userName
}

type userName struct {
	name  string
	until time.Time
}

// Bounds of what userNames remembers.
const (
	maxUsers = 10000
	userLife = 10 * time.Minute
)

// Known is a name that was looked up not long ago.
func (u *userNames) Known(uid uint32) (name string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n, ok := u.known[uid]
	return n.name, ok && time.Now().Before(n.until)
}

// Name looks a name up; "" for no such user.
func (u *userNames) Name(uid uint32) string {
	if name, ok := u.Known(uid); ok {
		return name
	}
	n := userName{until: time.Now().Add(userLife)}
	if found, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		n.name = found.Username
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known == nil || len(u.known) >= maxUsers {
		u.known = map[uint32]userName{}
	}
	u.known[uid] = n
	return n.name
}

// reloadable is an Identifier whose rules can be read again while it is asked.
type reloadable struct {
	settings *Settings
	logger   *slog.Logger
	groups   userGroups
	mapper   atomic.Pointer[appmap.Mapper]
}

func newReloadable(s *Settings, logger *slog.Logger) (*reloadable, error) {
	r := &reloadable{settings: s, logger: logger}
	return r, r.reload()
}

func (r *reloadable) reload() error {
	m, err := appmap.New(appmap.Config{CatalogDir: r.settings.CatalogDir, MountNS: hostMountNS(), AsUser: r.groups.asUser, Logger: r.logger})
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	if old := r.mapper.Swap(m); old != nil {
		// It may be answering still; nobody waits for an answer that long.
		time.AfterFunc(time.Minute, func() { _ = old.Close() })
	}
	return nil
}

// Known asks the memory of the rules in force.
func (r *reloadable) Known(p *procmon.Process) (procmon.Application, bool) {
	return r.mapper.Load().Known(p)
}

// Identify asks the rules in force.
func (r *reloadable) Identify(ctx context.Context, p *procmon.Process) procmon.Application {
	return r.mapper.Load().Identify(ctx, p)
}

// Close closes the rules in force.
func (r *reloadable) Close() error {
	if m := r.mapper.Load(); m != nil {
		return m.Close()
	}
	return nil
}

// hostMountNS is the mount namespace of the host's init. This process's own may
// differ: systemd gives a protected service one in which the same files stand at
// the same places. Where init's can't be read, its own is the best guess.
func hostMountNS() uint64 {
	for _, pid := range [...]string{"1", "self"} {
		if link, err := os.Readlink("/proc/" + pid + "/ns/mnt"); err == nil {
			return procfs.ParseNamespace(link)
		}
	}
	return 0
}
