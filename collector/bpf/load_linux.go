package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// programs are the loaded ones with what they share.
type programs struct {
	captureObjects
	links []link.Link
	dir   *os.File // where they are pinned, locked; nil: nowhere
	taken bool     // they go on from an earlier daemon's
}

// maxArea is what the programs copy of arguments or environment at most
// (AREA_MAX in program/capture.bpf.c).
const maxArea = 64<<10 - 1

// shared are the maps that one daemon's programs take over from another's.
var shared = []string{"control", "counts", "excluded", "leaderless", "places", "processes", "ring", "runs", "told"}

// load loads and attaches the programs, and lets them work in place of those
// that an earlier daemon left.
func load(cfg *Config) (p *programs, err error) {
	p = &programs{}
	defer func() {
		if err != nil {
			_ = p.close()
		}
	}()
	if cfg.Pin != "" {
		p.dir, err = lockDir(cfg.Pin)
		if errors.Is(err, ErrPinned) {
			return p, err
		}
		if err != nil {
			cfg.Logger.Warn("programs are not pinned: what happens while no daemon runs will not be seen", "error", err)
		}
	}
	// Kernels before 5.11 charge maps to RLIMIT_MEMLOCK.
	if err := rlimit.RemoveMemlock(); err != nil {
		return p, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	spec, err := p.spec(cfg)
	if err != nil {
		return p, err
	}
	options := &ebpf.CollectionOptions{}
	if p.dir != nil {
		if options.MapReplacements, err = p.pinned(cfg, spec); err != nil {
			return p, err
		}
	}
	generation, err := nextGeneration(options.MapReplacements["control"])
	if err != nil {
		return p, err
	}
	if err := spec.Variables["generation"].Set(generation); err != nil {
		return p, err
	}
	err = spec.LoadAndAssign(&p.captureObjects, options)
	for _, m := range options.MapReplacements {
		_ = m.Close() // the collection has descriptors of its own
	}
	if err != nil {
		return p, reason(err)
	}
	return p, p.start(cfg, generation)
}

// spec is the collection as this node wants it.
func (p *programs) spec(cfg *Config) (*ebpf.CollectionSpec, error) {
	spec, err := loadCapture()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	spec.Maps["scratches"].MaxEntries = uint32(cpus)
	spec.Maps["told"].MaxEntries = uint32(cpus * counters)
	spec.Maps["ring"].MaxEntries = uint32(powerOfTwo(cfg.RingBytes))
	return spec, spec.Variables["args_max"].Set(uint32(min(cfg.MaxArgs, maxArea)))
}

// reason makes one line of what the kernel says about a program.
func reason(err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.As(err, &verifier) && len(verifier.Log) > 0:
		return fmt.Errorf("%w: the kernel refuses a program: %w: %s", ErrUnavailable, verifier.Cause, verifier.Log[max(0, len(verifier.Log)-2)])
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: CAP_BPF and CAP_PERFMON are needed, and no kernel lockdown: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// start attaches the programs and hands the work to them in one write.
func (p *programs) start(cfg *Config, generation uint32) error {
	if err := p.exclude(cfg.Exclude); err != nil {
		return err
	}
	for _, prog := range []*ebpf.Program{p.OnExec, p.OnFork, p.OnExit, p.OnFree} {
		l, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			return reason(err)
		}
		p.links = append(p.links, l)
	}
	if p.dir != nil {
		if err := p.pin(generation); err != nil {
			return err
		}
	}
	if err := p.Control.Put(uint32(0), generation); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if p.dir != nil {
		return p.unpinOthers(generation)
	}
	return nil
}

// exclude sets whose programs are left out.
func (p *programs) exclude(uids []uint32) error {
	want := map[uint32]bool{}
	for _, uid := range uids {
		want[uid] = true
		if err := p.Excluded.Put(uid, uint8(1)); err != nil {
			return fmt.Errorf("exclude user %d: %w", uid, err)
		}
	}
	var uid uint32
	var one uint8
	var old []uint32
	for each := p.Excluded.Iterate(); each.Next(&uid, &one); {
		if !want[uid] {
			old = append(old, uid)
		}
	}
	for _, uid := range old {
		if err := p.Excluded.Delete(uid); err != nil {
			return fmt.Errorf("include user %d: %w", uid, err)
		}
	}
	return nil
}

func (p *programs) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close()) // a pinned one goes on
	}
	errs = append(errs, p.captureObjects.Close())
	if p.dir != nil {
		errs = append(errs, p.dir.Close())
	}
	return errors.Join(errs...)
}

// nextGeneration is another than the one that works now.
func nextGeneration(control *ebpf.Map) (uint32, error) {
	now := uint32(0)
	if control != nil {
		if err := control.Lookup(uint32(0), &now); err != nil {
			return 0, fmt.Errorf("generation: %w", err)
		}
	}
	return max(1, now+1), nil
}

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

const linksPrefix = "links-" // a BPF filesystem allows no dots

// pin lets maps and links outlive this process.
func (p *programs) pin(generation uint32) error {
	dir := p.layoutDir()
	links := filepath.Join(dir, linksPrefix+strconv.FormatUint(uint64(generation), 10))
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
func (p *programs) unpinOthers(generation uint32) error {
	keep := linksPrefix + strconv.FormatUint(uint64(generation), 10)
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
