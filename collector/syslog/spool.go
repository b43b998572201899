package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

var errSpoolFull = errors.New("spool full")

const (
	segmentExt  = ".jsonl"
	offsetName  = "offset"
	maxSegment  = 8 << 20
	spoolChunk  = 256 << 10 // bytes read or written at once
	offsetForm  = "%019d %019d\n"
	offsetBytes = 40
)

// segment is one file of a spool: whole lines, named by its number.
type segment struct {
	seq  int64
	size int64 // of whole lines; what lies beyond is no line
}

// spool is a queue of lines on disk: numbered files that are appended to in
// turn and removed once they are sent, and the place up to which the first
// one is. Nothing is synced: a spool outlives a crash of the daemon, while one
// of the node may cost its last seconds.
type spool struct {
	dir      string
	max      int64
	segments []segment // oldest first; the last one is written to while w is open
	w, r     *os.File  // of the last and of the first segment, opened when needed
	sent     int64     // bytes of the first segment
	next     int64     // the number of the next segment
	offset   *os.File
	buf      []byte // of append
	chunk    []byte // of peek
}

// openSpool takes over what an earlier daemon left. torn is how many half
// lines were found: those of a crash in the middle of a write.
func openSpool(dir string, limit int64) (_ *spool, torn uint64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	s := &spool{dir: dir, max: limit}
	if s.offset, err = os.OpenFile(filepath.Join(dir, offsetName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	seq, sent := s.loadOffset()
	if torn, err = s.scan(seq); err != nil {
		return nil, torn, errors.Join(fmt.Errorf("spool: %w", err), s.offset.Close())
	}
	s.next = max(s.next, seq+1)
	if len(s.segments) > 0 && s.segments[0].seq == seq && sent <= s.segments[0].size {
		s.sent = sent
	}
	return s, torn, s.skipSent()
}

// loadOffset reads what saveOffset wrote. Without it everything is sent again.
func (s *spool) loadOffset() (seq, sent int64) {
	b := make([]byte, offsetBytes)
	n, _ := s.offset.ReadAt(b, 0)
	if _, err := fmt.Sscanf(string(b[:n]), offsetForm, &seq, &sent); err != nil || seq < 0 || sent < 0 {
		return 0, 0
	}
	return seq, sent
}

func (s *spool) saveOffset(seq, sent int64) error {
	_, err := s.offset.WriteAt(fmt.Appendf(nil, offsetForm, seq, sent), 0)
	return err
}

// scan lists the segments from number first on, and removes older ones.
func (s *spool) scan(first int64) (torn uint64, err error) {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range names {
		number, ok := strings.CutSuffix(e.Name(), segmentExt)
		seq, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || seq < 0 || e.Name() != filepath.Base(s.path(seq)) {
			continue // not ours
		}
		s.next = max(s.next, seq+1)
		size, half, err := wholeLines(s.path(seq))
		if err != nil {
			return torn, err
		}
		if half {
			torn++
		}
		if seq < first || size == 0 {
			if err := os.Remove(s.path(seq)); err != nil {
				return torn, err
			}
			continue
		}
		s.segments = append(s.segments, segment{seq, size})
	}
	slices.SortFunc(s.segments, func(a, b segment) int { return int(min(max(a.seq-b.seq, -1), 1)) })
	return torn, nil
}

// wholeLines is how many bytes of a file are whole lines, and whether half a
// line follows.
func wholeLines(path string) (size int64, half bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, false, err
	}
	buf := make([]byte, 64<<10)
	for at := end; at > 0; {
		b := buf[:min(at, int64(len(buf)))]
		at -= int64(len(b))
		if _, err := f.ReadAt(b, at); err != nil {
			return 0, false, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			size = at + int64(i) + 1
			return size, size < end, nil
		}
	}
	return 0, end > 0, nil
}

func (s *spool) path(seq int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%010d%s", seq, segmentExt))
}

func (s *spool) empty() bool { return len(s.segments) == 0 }

// bytes is what the spool takes on disk.
func (s *spool) bytes() (n int64) {
	for _, g := range s.segments {
		n += g.size
	}
	return n
}

func (s *spool) close() error {
	var errs []error
	for _, f := range []*os.File{s.w, s.r, s.offset} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
