package jobmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"procmon"
)

// Errors of a Registry, wrapped with the path or id in question.
var (
	// ErrUnsafe is a directory or file that others than root could have written.
	ErrUnsafe = errors.New("not safe to trust")
	// ErrUnknownJob is a job that the registry knows nothing of.
	ErrUnknownJob = errors.New("no facts of this job")
)

// Bounds of what a Registry holds. A job's facts take about 1 KiB of memory.
const (
	maxLoaded  = 8192  // jobs whose facts are in memory, beside those to summarise
	maxMissing = 4096  // ids remembered to have no file
	maxFile    = 65536 // bytes read of one file, from its end
	maxName    = 255   // bytes of a file's name

	tombstoneAge = 24 * time.Hour      // how long a summarised job is remembered
	staleAge     = 60 * 24 * time.Hour // when a job that no epilog ended is forgotten
	cleanEvery   = 10 * time.Minute
	paceFactor   = 20 // a scan that took t is not repeated for paceFactor × t
)

// Registry is the memory of the job facts that prologs and epilogs wrote as
// root into a directory, one file a job (docs/jobs.md tells the format). It
// may be used by several goroutines.
type Registry struct {
	Log *slog.Logger // where refused files are told; nil: slog.Default. Set it before use.

	dir   string
	proc  string           // "/proc"
	owner uint32           // whose files are trusted: root's
	now   func() time.Time // time.Now
	limit int              // maxLoaded

	openFile func(path string) (*os.File, error)    // a job's file, for reading
	lstat    func(path string) (fs.FileInfo, error) // os.Lstat

	mu      sync.RWMutex // guards what follows; it is not held while files are read
	cluster string       // overrides the facts' own
	refused error        // why the directory is not trusted
	files   map[fileKey]*file
	sluids  map[string]fileKey
	loaded  int                  // files whose facts are in memory
	missing map[fileKey]struct{} // looked for since the last Refresh, in vain
	buried  uint64               // counts Done

	refresh  sync.Mutex // one Refresh at a time; guards what follows
	seen     time.Time  // the directory's modification time at the last scan
	scanned  time.Time  // when the last scan began
	notUntil time.Time  // no scan before
	cleaned  time.Time
}

// fileKey names a job's file: "slurm-10".
type fileKey struct{ scheduler, id string }

func (k fileKey) String() string { return k.scheduler + "-" + k.id }

// parseFileName is the inverse of fileKey.String.
func parseFileName(name string) (fileKey, bool) {
	scheduler, id, ok := strings.Cut(name, "-")
	i := schedulerIndex(scheduler)
	if !ok || len(name) > maxName || i < 0 || !schedulers[i].isID(id) {
		return fileKey{}, false
	}
	return fileKey{scheduler, id}, true
}

// file is what is known of a job's file.
type file struct {
	mod     time.Time
	size    int64
	done    bool      // it lies among the tombstones
	checked time.Time // when it was read
	facts   []*facts  // one a restart, oldest first; empty: not in memory
}

// pending says whether a restart in it waits for its summary.
func (f *file) pending() bool {
	for _, one := range f.facts {
		if one.ended() && !one.done {
			return true
		}
	}
	return false
}

// allDone says whether nothing in it runs or waits.
func (f *file) allDone() bool {
	for _, one := range f.facts {
		if !one.done {
			return false
		}
	}
	return true
}

// life is the restart that had a SLUID, since each has one of its own, or the
// latest that had begun when p executed its program: p may be looked at when
// the job has long been requeued.
func (f *file) life(sluid string, p *procmon.Process) *facts {
	for _, one := range f.facts {
		if sluid != "" && one.sluid == sluid {
			return one
		}
	}
	for _, one := range slices.Backward(f.facts) {
		if one.begunBy(p) {
			return one
		}
	}
	if len(f.facts) > 0 {
		return f.facts[0]
	}
	return nil
}

// OpenRegistry makes the registry of a jobs directory and reads what lies in
// it. A directory that does not exist yet is no error: the first prolog makes
// it. One that others than root can write to is refused with ErrUnsafe.
func OpenRegistry(dir string) (*Registry, error) {
	r := newRegistry(dir)
	if err := r.Refresh(context.Background()); err != nil {
		return nil, err
	}
	return r, nil
}

func newRegistry(dir string) *Registry {
	return &Registry{
		dir: dir, proc: "/proc", now: time.Now, limit: maxLoaded, openFile: openUnfollowed, lstat: os.Lstat,
		files:   make(map[fileKey]*file),
		sluids:  make(map[string]fileKey),
		missing: make(map[fileKey]struct{}),
	}
}

func (r *Registry) setCluster(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cluster = name
}

func (r *Registry) log() *slog.Logger {
	if r.Log != nil {
		return r.Log
	}
	return slog.Default()
}

// find gives the facts of the restart of a job that p was in, by its raw id, or of the
// one with a SLUID, nil when there are none. A job that is not in memory costs one
// look at its file, once between two Refreshes.
func (r *Registry) find(p *procmon.Process, scheduler, rawID, sluid string) *facts {
	if r == nil {
		return nil
	}
	key := fileKey{scheduler, rawID}
	if rawID == "" {
		key.id = sluid
	}
	r.mu.RLock()
	if rawID == "" {
		if known, ok := r.sluids[sluid]; ok {
			key = known
		}
	}
	f, known := r.files[key]
	_, absent := r.missing[key]
	var one *facts
	if known {
		one = f.life(sluid, p)
	}
	// A job that had ended is looked at again: it may have been requeued before p.
	fresh := one != nil && (!one.ended() || !p.Time.IsZero() && p.Time.Before(f.checked))
	refused := r.refused != nil
	r.mu.RUnlock()
	if refused {
		return nil
	}
	if fresh || absent {
		return one
	}
	return r.lookUp(key, sluid, p)
}

// lookUp reads a job's file, among the tombstones if it must.
func (r *Registry) lookUp(key fileKey, sluid string, p *procmon.Process) *facts {
	if isSLUID(key.id) {
		if known, ok := r.lookForSLUID(key.id); ok {
			key = known
		}
	} else if _, ok := parseFileName(key.String()); !ok {
		return nil
	}
	f, err := r.loadUnmoved(key)
	defer r.mu.Unlock()
	if err != nil {
		if known := r.files[key]; known != nil && errors.Is(err, fs.ErrNotExist) {
			return known.life(sluid, p) // until the next Refresh forgets it
		}
		if len(r.missing) < maxMissing {
			r.missing[key] = struct{}{}
		}
		return nil
	}
	r.put(key, f)
	return f.life(sluid, p)
}

// loadUnmoved reads a job's file and takes mu. A file that was buried while it
// was read is read again: what was read says that it waits for its summary.
func (r *Registry) loadUnmoved(key fileKey) (*file, error) {
	for {
		r.mu.RLock()
		before := r.buried
		r.mu.RUnlock()
		f, err := r.load(key)
		r.mu.Lock()
		if r.buried == before {
			return f, err
		}
		r.mu.Unlock()
	}
}

// lookForSLUID reads the files that came since the last scan: their names have
// no SLUID in them. Those that it knows it leaves to Refresh.
func (r *Registry) lookForSLUID(sluid string) (fileKey, bool) {
	if err := r.scan(context.Background(), false); err != nil {
		r.log().Debug("scan of job facts failed", "error", err)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	key, ok := r.sluids[sluid]
	return key, ok
}

// put keeps a file that was read. The caller holds mu.
func (r *Registry) put(key fileKey, f *file) {
	if old, ok := r.files[key]; ok {
		r.unload(old)
	}
	if r.loaded >= r.limit && !f.pending() {
		r.makeRoom()
	}
	delete(r.missing, key)
	for _, one := range f.facts {
		if one.sluid != "" {
			r.sluids[one.sluid] = key
		}
	}
	if len(f.facts) > 0 {
		r.loaded++
	}
	r.files[key] = f
}

// makeRoom forgets some jobs that can be read again when they are asked for:
// tombstones as a whole, of others the facts. The caller holds mu.
func (r *Registry) makeRoom() {
	room := max(1, r.limit/8)
	for key, f := range r.files {
		if f.pending() || len(f.facts) == 0 {
			continue
		}
		r.unload(f)
		if f.done {
			delete(r.files, key)
		}
		if room--; room == 0 {
			return
		}
	}
}

// forget drops a file as a whole. The caller holds mu.
func (r *Registry) forget(key fileKey, f *file) {
	r.unload(f)
	delete(r.files, key)
}

// unload drops the facts of a file. The caller holds mu.
func (r *Registry) unload(f *file) {
	for _, one := range f.facts {
		delete(r.sluids, one.sluid)
	}
	if len(f.facts) > 0 {
		r.loaded--
	}
	f.facts = nil
}

// Done notes that a job that Ended told has been summarised, so that it is not
// told again, not after a restart either. Its facts are kept for a day, for
// processes that outlive it. It wraps ErrUnknownJob when Ended never told it.
func (r *Registry) Done(job procmon.JobKey) error {
	r.refresh.Lock()
	defer r.refresh.Unlock()
	key, one := r.ended(job)
	if one == nil {
		return fmt.Errorf("%w: %s restart %d", ErrUnknownJob, job.RawID, job.Restart)
	}
	return r.bury(key, one)
}

// ended finds the facts of a job by its key.
func (r *Registry) ended(job procmon.JobKey) (fileKey, *facts) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for sch := range schedulers {
		key := fileKey{schedulers[sch].name, job.RawID}
		if f, ok := r.files[key]; ok {
			for _, one := range f.facts {
				if one.restart == job.Restart && one.ended() && (r.cluster != "" || one.cluster == job.Cluster) {
					return key, one
				}
			}
		}
	}
	return fileKey{}, nil
}
