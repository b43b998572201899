package jobmap

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"procmon"
)

// Ended tells the jobs that an epilog has ended and that Done was not told of,
// the earliest end first: what the facts say of each, this host's CPUs, GPUs
// and times, no runs. It tells what the last Refresh saw.
func (r *Registry) Ended(ctx context.Context) ([]procmon.JobSummary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var clock bootClock // read when there is a job to date: mostly there is none
	var ended []procmon.JobSummary
	r.mu.RLock()
	for _, f := range r.files {
		for _, one := range f.facts {
			if one.ended() && !one.done {
				if clock.now.IsZero() {
					clock = r.clock()
				}
				ended = append(ended, one.summary(r.cluster, clock, f.mod))
			}
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(ended, func(a, b procmon.JobSummary) int {
		if c := a.End.Compare(b.End); c != 0 {
			return c
		}
		return strings.Compare(a.Job.RawID, b.Job.RawID)
	})
	return ended, nil
}

// summary is what the facts say of a job that has ended; written is when its
// file was last written to.
func (f *facts) summary(cluster string, clock bootClock, written time.Time) procmon.JobSummary {
	sum := procmon.JobSummary{Job: f.job(cluster)}
	for _, s := range f.shares {
		sum.CPUs += s.cpus
		sum.GPUs += s.gpus
		if t := clock.time(s.start); !t.IsZero() && (sum.Start.IsZero() || t.Before(sum.Start)) {
			sum.Start = t
		}
		if t := clock.time(s.end); t.After(sum.End) {
			sum.End = t
		}
	}
	if sum.End.IsZero() {
		sum.End = written
	}
	return sum
}

// job is the Job that the facts alone tell.
func (f *facts) job(cluster string) procmon.Job {
	s := search{
		m: &Mapper{cluster: cluster}, p: &procmon.Process{},
		claim: claim{scheduler: max(0, schedulerIndex(f.scheduler)), rawID: f.id},
		by:    procmon.EvidenceFacts, facts: f,
	}
	s.fill()
	return s.job
}

// bootClock turns times since boot into times of day.
type bootClock struct {
	now    time.Time
	uptime time.Duration
	boot   string
}

// clock reads what the hooks read: /proc/uptime and the boot's id.
func (r *Registry) clock() bootClock {
	c := bootClock{now: r.now()}
	uptime, err := os.ReadFile(filepath.Join(r.proc, "uptime"))
	if err != nil {
		return c
	}
	first, _, _ := strings.Cut(string(uptime), " ")
	boot, err := os.ReadFile(filepath.Join(r.proc, "sys/kernel/random/boot_id"))
	if up, ok := parseUptime(first); ok && err == nil {
		c.uptime, c.boot = up, strings.TrimSpace(string(boot))
	}
	return c
}

// time is when a stamp was made: by the time since boot where it is of this
// boot, which no step of the clock disturbs; else what the scheduler said.
func (c bootClock) time(s stamp) time.Time {
	if s.boot != "" && s.boot == c.boot {
		return c.now.Add(s.uptime - c.uptime)
	}
	if s.unix != 0 {
		return time.Unix(s.unix, 0)
	}
	return time.Time{}
}

// bury notes in a job's file that one restart is done, and moves the file to
// the tombstones when all are. The move alone is enough, so a full file system
// stops neither. The caller holds refresh.
func (r *Registry) bury(key fileKey, one *facts) error {
	path := filepath.Join(r.dir, key.String())
	noted := appendDone(path, one.restart)
	f, err := r.load(key)
	if err != nil {
		return err
	}
	for _, other := range f.facts {
		other.done = other.done || other.restart == one.restart
	}
	if f.allDone() && !f.done {
		if err := r.entomb(key, f); err == nil {
			f.done, noted = true, nil
		} else if noted == nil {
			noted = err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buried++
	r.put(key, f)
	return noted
}

// appendDone writes the last block of a job's file.
func appendDone(path string, restart int) error {
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = h.WriteString("\n" + blockDone + "\tRESTART=" + strconv.Itoa(restart) + "\t.\n")
	return errors.Join(err, h.Close())
}

// entomb moves a file to the tombstones, where it can be found by its SLUID as
// well. When it grew meanwhile, since the job was requeued, it stays.
func (r *Registry) entomb(key fileKey, f *file) error {
	dir := filepath.Join(r.dir, tombstones)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := r.checkDir(dir); err != nil {
		return err
	}
	from, to := filepath.Join(r.dir, key.String()), filepath.Join(dir, key.String())
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if info, err := os.Lstat(to); err == nil && info.Size() != f.size {
		if err := os.Link(to, from); err == nil {
			return os.Remove(to)
		}
	}
	if sluid := f.facts[len(f.facts)-1].sluid; isSLUID(sluid) {
		if err := os.Link(to, filepath.Join(dir, fileKey{key.scheduler, sluid}.String())); err != nil && !errors.Is(err, fs.ErrExist) {
			r.log().Debug("no second name for a tombstone", "file", to, "error", err)
		}
	}
	return nil
}

// clean removes tombstones that are a day old.
func (r *Registry) clean(ctx context.Context) error {
	r.refresh.Lock()
	defer r.refresh.Unlock()
	now := r.now()
	if since := now.Sub(r.cleaned); since >= 0 && since < cleanEvery {
		return nil
	}
	r.cleaned = now
	dir := filepath.Join(r.dir, tombstones)
	if _, err := r.checkDir(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) <= tombstoneAge {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err == nil {
			r.dropTombstone(e.Name())
		}
	}
	return nil
}

func (r *Registry) dropTombstone(name string) {
	key, ok := parseFileName(name)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.files[key]; ok && f.done {
		r.forget(key, f)
	}
}
