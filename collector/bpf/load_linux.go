package bpf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// programs are the loaded ones with what they share.
type programs struct {
	captureMaps
	each  *ebpf.Program   // the iterator over processes
	hooks []*ebpf.Program // at execve, fork, exit and free
	links []link.Link     // of hooks; none of those that are pinned already
	dir   *os.File        // where they are pinned, locked; nil: nowhere
	taken bool            // the maps are an earlier daemon's
}

// hookNames are the pins of hooks, in their order.
var hookNames = [...]string{"exec", "fork", "exit", "free"}

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
	defer func() {
		for _, m := range options.MapReplacements {
			_ = m.Close() // the collection has descriptors of its own
		}
	}()
	generation, err := generationOf(options.MapReplacements["control"])
	if err != nil {
		return p, err
	}
	name := identity(spec, cfg)
	if p.taken && p.reuse(linksDir(generation, name)) {
		return p, p.finish(spec, options, cfg, linksDir(generation, name))
	}
	generation++
	if err := spec.Variables["generation"].Set(generation); err != nil {
		return p, err
	}
	if err := p.loadHooks(spec, options); err != nil {
		return p, err
	}
	return p, p.start(cfg, generation, linksDir(generation, name))
}

// identity tells programs apart that must not go on in each other's place.
func identity(spec *ebpf.CollectionSpec, cfg *Config) string {
	sum := sha256.Sum256(fmt.Appendf(_CaptureBytes[:len(_CaptureBytes):len(_CaptureBytes)], "%d %d", spec.Maps["scratches"].MaxEntries, min(cfg.MaxArgs, maxArea)))
	return hex.EncodeToString(sum[:6])
}

// loadHooks loads everything anew.
func (p *programs) loadHooks(spec *ebpf.CollectionSpec, options *ebpf.CollectionOptions) error {
	var o captureObjects
	if err := spec.LoadAndAssign(&o, options); err != nil {
		return reason(err)
	}
	p.captureMaps, p.each = o.captureMaps, o.EachProcess
	p.hooks = []*ebpf.Program{o.OnExec, o.OnFork, o.OnExit, o.OnFree}
	return nil
}

// reuse takes the pinned hooks when they are just those that would be loaded: a
// restart then changes nothing in the kernel.
func (p *programs) reuse(dir string) bool {
	var hooks []*ebpf.Program
	for i, name := range hookNames {
		hook, err := ebpf.LoadPinnedProgram(filepath.Join(p.layoutDir(), dir, name), nil)
		if err == nil {
			hooks = append(hooks, hook)
			_, err = os.Stat(filepath.Join(p.layoutDir(), dir, strconv.Itoa(i)))
		}
		if err != nil {
			for _, h := range hooks {
				_ = h.Close()
			}
			return false
		}
	}
	p.hooks = hooks
	return true
}

// finish loads what is not pinned beside hooks that are in dir, and ends what a
// daemon that was killed while it began left beside them.
func (p *programs) finish(spec *ebpf.CollectionSpec, options *ebpf.CollectionOptions, cfg *Config, dir string) error {
	var o struct {
		captureMaps
		EachProcess *ebpf.Program `ebpf:"each_process"`
	}
	if err := spec.LoadAndAssign(&o, options); err != nil {
		return reason(err)
	}
	p.captureMaps, p.each = o.captureMaps, o.EachProcess
	if err := p.exclude(cfg.Exclude); err != nil {
		return err
	}
	return p.unpinOthers(dir)
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
	spec.Maps["told"].MaxEntries = uint32(cpus*counters + len(hookNames))
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
func (p *programs) start(cfg *Config, generation uint32, dir string) error {
	if err := p.exclude(cfg.Exclude); err != nil {
		return err
	}
	for i := range p.hooks { // new programs count from 0
		if err := p.Told.Put(p.missesKey(i), uint64(0)); err != nil {
			return fmt.Errorf("counts: %w", err)
		}
	}
	for _, prog := range p.hooks {
		l, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			return reason(err)
		}
		p.links = append(p.links, l)
	}
	if p.dir != nil {
		if err := p.pin(dir); err != nil {
			return err
		}
	}
	if err := p.Control.Put(uint32(0), generation); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if p.dir != nil {
		return p.unpinOthers(dir)
	}
	return nil
}

// missesKey is where the map of what was told has the misses of a hook.
func (p *programs) missesKey(hook int) uint32 {
	return p.Told.MaxEntries() - uint32(len(hookNames)-hook)
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
	for _, prog := range append(p.hooks, p.each) {
		if prog != nil {
			errs = append(errs, prog.Close())
		}
	}
	errs = append(errs, p.captureMaps.Close())
	if p.dir != nil {
		errs = append(errs, p.dir.Close())
	}
	return errors.Join(errs...)
}

// generationOf is the one that works now; 0: none.
func generationOf(control *ebpf.Map) (now uint32, err error) {
	if control == nil {
		return 0, nil
	}
	if err := control.Lookup(uint32(0), &now); err != nil {
		return 0, fmt.Errorf("generation: %w", err)
	}
	return now, nil
}
