package appmap

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procmon"
)

// Config is what a Mapper needs to know. The zero Config is valid.
type Config struct {
	Root       string           // files are looked up below it; empty: "/"
	CatalogDir string           // the site's rules, *.toml in the order of their names; empty or absent: none
	Mounts     string           // the table of mounts, as /proc/self/mountinfo, which is the default where Root is empty; else everything counts as local
	MountNS    uint64           // inode of the host's own mount namespace; 0: not known
	CacheSize  int              // answers kept; 0: 4096, negative: none
	Logger     *slog.Logger     // nil: nothing is logged
	Now        func() time.Time // nil: time.Now

	// AsUser runs f with the permissions on files of a process's user: Identify
	// looks files up within it. Nil: with the program's own.
	AsUser func(p *procmon.Process, f func())
}

// Bounds of the cache. An answer that rests on files may change with them, so
// none is kept for long.
const (
	defaultCache = 4096
	keepAnswer   = 10 * time.Minute
	keepUnseen   = 10 * time.Second // without a look at the executable, which may be another one by now
	keepRefused  = 30 * time.Second // where files were not read for their server's sake
)

// maxReaders is how many look-ups may read files at once. When a hung
// filesystem holds them all for readerWait, paths alone are gone by.
const (
	maxReaders = 8
	readerWait = 250 * time.Millisecond
)

// Mapper names applications. Its methods may be called at once by many.
type Mapper struct {
	config  Config
	catalog *catalog
	files   *files
	dpkg    *dpkg
	rpm     *rpmdb
	trees   *treeIndexes
	cache   *cache
	readers chan struct{}
}

// New reads the rules. Close the Mapper after use.
func New(c Config) (*Mapper, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.AsUser == nil {
		c.AsUser = func(_ *procmon.Process, f func()) { f() }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCache
	}
	if c.Mounts == "" && c.Root == "" {
		c.Mounts = "/proc/self/mountinfo"
	}
	rules, err := loadCatalog(c.CatalogDir)
	if err != nil {
		return nil, err
	}
	f, err := openFiles(c.Root)
	if err != nil {
		return nil, err
	}
	f.mounts = &mounts{table: c.Mounts, now: c.Now}
	f.pace = newPace(remoteRate, remoteBurst, c.Now)
	if db := olderRPM(f); db != "" {
		c.Logger.Info("the rpm database has a form that is not read: the distribution's programs are named by paths and names, without versions", "database", db)
	}
	c.Logger.Debug("application rules read", "rules", rules.version, "applications", len(rules.entries))
	return &Mapper{
		config: c, catalog: rules, files: f, dpkg: newDpkg(f), rpm: newRPMDB(f.root),
		trees: newTreeIndexes(), cache: newCache(c.CacheSize), readers: make(chan struct{}, maxReaders),
	}, nil
}

// Close gives back what the Mapper holds open.
func (m *Mapper) Close() error {
	return errors.Join(m.rpm.close(), m.files.close())
}

// Known gives an answer that is remembered. It reads no file.
func (m *Mapper) Known(p *procmon.Process) (app procmon.Application, ok bool) {
	s := newSubject(m.catalog, p, m.config.MountNS)
	now := m.config.Now()
	v, ok := m.cache.get(m.cache.key(s), now)
	return v.app, ok && now.Before(v.fresh)
}

// Identify says which application a process is. When ctx ends while files are
// read, the answer is what was found by then, and is not remembered.
func (m *Mapper) Identify(ctx context.Context, p *procmon.Process) procmon.Application {
	s := newSubject(m.catalog, p, m.config.MountNS)
	key, now := m.cache.key(s), m.config.Now()
	old, known := m.cache.get(key, now)
	if known && now.Before(old.fresh) {
		return old.app
	}
	foreign := s.foreign
	if m.reader(ctx) {
		defer func() { <-m.readers }()
	} else if known {
		return old.app
	} else {
		s.foreign = true
	}
	v := cached{key: key, fresh: now.Add(keepUnseen), until: now.Add(keepAnswer)}
	m.config.AsUser(p, func() {
		v.of = m.identity(s)
		if known && v.of.same(old.of) {
			v.app, v.until = old.app, old.until
			return
		}
		v.app = m.name(ctx, s, nil)
	})
	if s.refused {
		v.until = now.Add(keepRefused)
	}
	if v.of.unseen() {
		v.fresh = v.until
	}
	if ctx.Err() == nil && s.foreign == foreign {
		m.cache.put(v)
	}
	return v.app
}

// reader waits for leave to read files.
func (m *Mapper) reader(ctx context.Context) bool {
	select {
	case m.readers <- struct{}{}:
		return true
	default:
	}
	wait := time.NewTimer(readerWait)
	defer wait.Stop()
	select {
	case m.readers <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-wait.C:
	}
	return false
}
