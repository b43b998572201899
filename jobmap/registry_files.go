package jobmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// tombstones is the directory, below the jobs directory, of summarised jobs.
const tombstones = "done"

// checkDir refuses a directory that others than the owner can write to.
func (r *Registry) checkDir(dir string) (fs.FileInfo, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	switch uid := ownerOf(info); {
	case !info.IsDir():
		return nil, fmt.Errorf("%w: %s is no directory", ErrUnsafe, dir)
	case uid != r.owner:
		return nil, fmt.Errorf("%w: %s belongs to uid %d; run: chown root %s", ErrUnsafe, dir, uid, dir)
	case info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("%w: %s can be written by others than its owner; run: chmod go-w %s", ErrUnsafe, dir, dir)
	}
	return info, nil
}

// ownerOf is the user id that a file belongs to.
func ownerOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return ^uint32(0)
}

// load reads a job's file, or its tombstone.
func (r *Registry) load(key fileKey) (*file, error) {
	f, err := r.read(filepath.Join(r.dir, key.String()), key)
	if err == nil {
		r.markRepeated(key, f)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = r.read(filepath.Join(r.dir, tombstones, key.String()), key)
	if err != nil {
		return nil, err
	}
	f.done = true
	for _, one := range f.facts {
		one.done = true
	}
	return f, nil
}

// markRepeated finds ends that a scheduler tells once more after the job was
// summarised: PBS has two events for it, and slurmd may run an epilog again.
func (r *Registry) markRepeated(key fileKey, f *file) {
	for _, one := range f.facts {
		if one.done || !one.endOnly() {
			continue
		}
		tomb, err := r.read(filepath.Join(r.dir, tombstones, key.String()), key)
		if err != nil {
			return
		}
		for _, old := range tomb.facts {
			one.done = one.done || one.repeats(old)
		}
	}
}

// openUnfollowed opens without following a link and without waiting for a
// pipe's other end.
func openUnfollowed(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// read reads one file. What is no regular file of root's is refused.
func (r *Registry) read(path string, key fileKey) (*file, error) {
	began := r.now()
	h, err := r.openFile(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, err
	}
	uid := ownerOf(info)
	if !info.Mode().IsRegular() || uid != r.owner || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%w: %s (%v, uid %d)", ErrUnsafe, path, info.Mode(), uid)
	}
	data, err := io.ReadAll(io.NewSectionReader(h, max(0, info.Size()-maxFile), maxFile))
	if err != nil {
		return nil, err
	}
	f := &file{mod: info.ModTime(), size: info.Size(), checked: began}
	for _, one := range parseFacts(bytes.Clone(data)) {
		if one.id == key.id && one.scheduler == key.scheduler || one.sluid == key.id {
			f.facts = append(f.facts, one)
		}
	}
	return f, nil
}

// Refresh learns what changed in the directory: jobs that began, were ended or
// went away. It is meant to be called about once a second. While nothing
// changes it costs one stat(2), and one for each job that has not ended. It
// wraps ErrUnsafe when the directory can't be trusted any more; then nothing
// in it counts until it can.
func (r *Registry) Refresh(ctx context.Context) error {
	err := r.scan(ctx, true)
	r.mu.Lock()
	clear(r.missing)
	r.mu.Unlock()
	if err == nil {
		err = r.clean(ctx)
	}
	return err
}

// scan reads the directory if it changed, the files that are new, and with
// known those that changed.
func (r *Registry) scan(ctx context.Context, known bool) error {
	r.refresh.Lock()
	defer r.refresh.Unlock()
	info, err := r.checkDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = nil, nil
	}
	r.mu.Lock()
	r.refused = err
	r.mu.Unlock()
	if err != nil {
		return err
	}
	now := r.now()
	if info == nil {
		r.seen = time.Time{}
		return r.keepOnly(ctx, nil)
	}
	if now.Before(r.notUntil) && !now.Before(r.scanned) {
		return nil
	}
	changed := !info.ModTime().Equal(r.seen)
	// A file made within the clock tick of the last scan leaves no trace in
	// the directory's time, so a recent change is looked at twice.
	recent := r.scanned.Sub(r.seen) < time.Second
	r.scanned = now
	if changed || recent {
		r.seen = info.ModTime()
		err = r.readDir(ctx)
	}
	if err == nil && known {
		err = r.recheck(ctx, now)
	}
	r.notUntil = now.Add(paceFactor * r.now().Sub(now)).Add(-time.Second)
	return err
}

// readDir takes in new files and drops those that are gone.
func (r *Registry) readDir(ctx context.Context) error {
	h, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	defer h.Close()
	present := make(map[fileKey]bool)
	for {
		names, err := h.Readdirnames(1024)
		for _, name := range names {
			if key, ok := parseFileName(name); ok {
				present[key] = true
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return r.keepOnly(ctx, present)
}

// keepOnly makes the registry's active files those that are present.
func (r *Registry) keepOnly(ctx context.Context, present map[fileKey]bool) error {
	var fresh []fileKey
	r.mu.Lock()
	for key, f := range r.files {
		if !present[key] && !f.done {
			r.forget(key, f)
		}
	}
	for key := range present {
		if f, ok := r.files[key]; !ok || f.done {
			fresh = append(fresh, key)
		}
	}
	r.mu.Unlock()
	for _, key := range fresh {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.take(key)
	}
	return nil
}

// take reads one file into memory. One that can't be used is told once, and
// then known as empty.
func (r *Registry) take(key fileKey) {
	f, err := r.load(key)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		r.log().Warn("job facts refused", "file", key.String(), "error", err)
		f = &file{}
	}
	if !f.done && len(f.facts) > 0 && f.allDone() {
		if err := r.entomb(key, f); err != nil {
			r.log().Debug("summarised job stays", "file", key.String(), "error", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(key, f)
}

// recheck looks at the files of jobs that may have been ended since.
func (r *Registry) recheck(ctx context.Context, now time.Time) error {
	r.mu.RLock()
	active := make([]fileKey, 0, len(r.files))
	for key, f := range r.files {
		if !f.done {
			active = append(active, key)
		}
	}
	r.mu.RUnlock()
	for _, key := range active {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(r.dir, key.String())
		info, err := r.lstat(path)
		if err != nil {
			continue
		}
		r.mu.RLock()
		f, ok := r.files[key]
		same := ok && (f.mod.Equal(info.ModTime()) && f.size == info.Size() || f.mod.IsZero())
		pending := ok && f.pending()
		r.mu.RUnlock()
		switch {
		case !same:
			r.take(key)
		case !pending && now.Sub(info.ModTime()) > staleAge:
			if err := os.Remove(path); err == nil {
				r.log().Info("job facts forgotten: no epilog ended the job", "file", key.String())
			}
		}
	}
	return nil
}
