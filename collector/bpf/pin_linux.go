package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// lockDir makes the directory of pins and keeps other daemons away from it.
func lockDir(dir string) (*os.File, error) {
	if err := mountBPF(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, layout), 0o700); err != nil {
		return nil, fmt.Errorf("directory of pinned programs: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("directory of pinned programs: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s %w; stop it, or give this one its own bpf.pin", dir, ErrPinned)
	}
	return f, nil
}

const bpfMagic = 0xcafe4a11 // BPF_FS_MAGIC in include/uapi/linux/magic.h

// CanPin says why programs can't be pinned in a directory; nil: they can, where
// need be after the BPF filesystem is mounted.
func CanPin(dir string) error {
	parent := filepath.Dir(dir)
	var fs unix.Statfs_t
	if err := unix.Statfs(parent, &fs); err != nil {
		return fmt.Errorf("%s: %w", parent, err)
	}
	if uint32(fs.Type) != bpfMagic && parent != mountPoint {
		return fmt.Errorf("%s is not on a BPF filesystem", parent)
	}
	return nil
}

const mountPoint = "/sys/fs/bpf" // where systemd mounts it

// mountBPF mounts the BPF filesystem where systemd would, if nothing has.
func mountBPF(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if uint32(fs.Type) == bpfMagic {
		return nil
	}
	if dir != mountPoint {
		return fmt.Errorf("%s is not on a BPF filesystem; set bpf.pin to a directory below /sys/fs/bpf", dir)
	}
	if err := unix.Mount("bpf", dir, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

// pinned opens the maps that an earlier daemon left, when all of them are there
// and of the kind that is wanted.
func (p *programs) pinned(cfg *Config, spec *ebpf.CollectionSpec) (map[string]*ebpf.Map, error) {
	maps := map[string]*ebpf.Map{}
	discard := func() {
		for _, m := range maps {
			_ = m.Close()
		}
	}
	for _, name := range shared {
		m, err := ebpf.LoadPinnedMap(filepath.Join(p.layoutDir(), name), nil)
		if errors.Is(err, os.ErrNotExist) {
			discard()
			return nil, p.clear() // of one that was killed while it began
		}
		if err != nil {
			discard()
			return nil, fmt.Errorf("pinned %s: %w", name, err)
		}
		maps[name] = m
		if name == "ring" && m.MaxEntries() != spec.Maps[name].MaxEntries {
			cfg.Logger.Warn("the pinned ring keeps its size; procmond detach makes room for another", "bytes", m.MaxEntries())
			spec.Maps[name].MaxEntries = m.MaxEntries()
		}
		if err := spec.Maps[name].Compatible(m); err != nil {
			discard()
			cfg.Logger.Warn("the pinned programs are of another kind and are replaced; what they had not told is lost", "map", name, "error", err)
			return nil, p.clear()
		}
	}
	p.taken = true
	return maps, nil
}

func (p *programs) layoutDir() string { return filepath.Join(p.dir.Name(), layout) }

func (p *programs) clear() error { return removeAll(p.layoutDir()) }

// removeAll unpins everything in a directory, links first.
func removeAll(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := os.RemoveAll(filepath.Join(dir, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

// linksDir is where the links of one generation are pinned. A BPF filesystem
// allows no dots.
func linksDir(generation uint32, identity string) string {
	return fmt.Sprintf("%s%d-%s", linksPrefix, generation, identity)
}

const linksPrefix = "links-"

// pin lets maps and links outlive this process.
func (p *programs) pin(name string) error {
	dir := p.layoutDir()
	links := filepath.Join(dir, name)
	if err := os.RemoveAll(links); err != nil {
		return err
	}
	if err := os.Mkdir(links, 0o700); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	for i, l := range p.links {
		if err := l.Pin(filepath.Join(links, strconv.Itoa(i))); err != nil {
			return fmt.Errorf("pin: %w", err)
		}
		if err := p.hooks[i].Pin(filepath.Join(links, hookNames[i])); err != nil {
			return fmt.Errorf("pin: %w", err)
		}
	}
	if p.taken {
		return nil
	}
	for name, m := range map[string]*ebpf.Map{
		"control": p.Control, "counts": p.Counts, "excluded": p.Excluded, "leaderless": p.Leaderless,
		"places": p.Places, "processes": p.Processes, "ring": p.Ring, "runs": p.Runs, "told": p.Told,
	} {
		if err := m.Pin(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("pin %s: %w", name, err)
		}
	}
	return nil
}

// unpinOthers ends the programs that worked before, those of other layouts too.
func (p *programs) unpinOthers(keep string) error {
	names, err := os.ReadDir(p.layoutDir())
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n.Name(), linksPrefix) && n.Name() != keep {
			if err := os.RemoveAll(filepath.Join(p.layoutDir(), n.Name())); err != nil {
				return err
			}
		}
	}
	layouts, err := os.ReadDir(p.dir.Name())
	if err != nil {
		return err
	}
	for _, n := range layouts {
		if n.Name() != layout {
			if err := os.RemoveAll(filepath.Join(p.dir.Name(), n.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Detach ends what an earlier daemon left pinned in a directory. It says
// whether there was anything, and fails while a daemon runs there.
func Detach(dir string) (bool, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	f, err := lockDir(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return true, os.RemoveAll(dir)
}
