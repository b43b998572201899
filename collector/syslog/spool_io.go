package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// append stores lines at the end and says how many: fewer than all together
// with errSpoolFull or what the disk said.
func (s *spool) append(lines [][]byte) (n int, err error) {
	room := s.max - s.bytes()
	for n < len(lines) {
		from := n
		s.buf = s.buf[:0]
		for n < len(lines) && (n == from || len(s.buf)+len(lines[n]) < spoolChunk) {
			if int64(len(s.buf)+len(lines[n])+1) > room {
				break
			}
			s.buf = append(append(s.buf, lines[n]...), '\n')
			n++
		}
		if n == from {
			return n, errSpoolFull
		}
		if err := s.write(); err != nil {
			return from, fmt.Errorf("spool: %w", err)
		}
		room -= int64(len(s.buf))
	}
	return n, nil
}

// write puts s.buf at the end of the last segment, all of it or nothing.
func (s *spool) write() error {
	if s.w == nil || s.segments[len(s.segments)-1].size >= min(maxSegment, s.max/8) {
		if err := s.roll(); err != nil {
			return err
		}
	}
	last := &s.segments[len(s.segments)-1]
	if _, err := s.w.WriteAt(s.buf, last.size); err != nil {
		// What was written of it is written over by the next, or cut off now.
		_ = s.w.Truncate(last.size)
		if last.size == 0 {
			err = errors.Join(err, s.dropLast())
		}
		return err
	}
	last.size += int64(len(s.buf))
	return nil
}

// roll begins a new segment.
func (s *spool) roll() error {
	f, err := os.OpenFile(s.path(s.next), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if s.w != nil {
		_ = s.w.Close() // its writes were answered for one by one
	}
	s.w = f
	s.segments = append(s.segments, segment{seq: s.next})
	s.next++
	return nil
}

// dropLast takes away a last segment that nothing could be written to.
func (s *spool) dropLast() error {
	last := len(s.segments) - 1
	err := errors.Join(s.w.Close(), os.Remove(s.path(s.segments[last].seq)))
	s.w = nil
	s.segments = s.segments[:last]
	return err
}

// peek reads the oldest lines, without their line feeds, up to count of them.
// They are valid until the next peek. advance takes them off.
func (s *spool) peek(count int) ([][]byte, error) {
	if s.empty() {
		return nil, nil
	}
	if s.r == nil {
		f, err := os.Open(s.path(s.segments[0].seq))
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		s.r = f
	}
	left := s.segments[0].size - s.sent
	for want := min(left, spoolChunk); ; want = min(left, 2*want) {
		if int64(cap(s.chunk)) < want {
			s.chunk = make([]byte, want)
		}
		s.chunk = s.chunk[:want]
		if _, err := s.r.ReadAt(s.chunk, s.sent); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		lines := splitLines(s.chunk, count)
		if len(lines) > 0 || want == left {
			return lines, nil
		}
	}
}

func splitLines(b []byte, count int) (lines [][]byte) {
	for len(lines) < count {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		lines = append(lines, b[:i:i])
		b = b[i+1:]
	}
	return lines
}

// advance takes the first lines off and remembers that on disk.
func (s *spool) advance(lines [][]byte) error {
	for _, l := range lines {
		s.sent += int64(len(l)) + 1
	}
	if len(lines) == 0 || s.empty() {
		return nil
	}
	if s.sent < s.segments[0].size {
		return s.saveOffset(s.segments[0].seq, s.sent)
	}
	return s.skipSent()
}

// skipSent removes the first segment if it is sent. The offset moves before
// the file goes: what it passed is never sent again.
func (s *spool) skipSent() error {
	if s.empty() || s.sent < s.segments[0].size {
		return nil
	}
	done := s.segments[0].seq
	errs := []error{s.saveOffset(done+1, 0)}
	if s.r != nil {
		errs = append(errs, s.r.Close())
		s.r = nil
	}
	if len(s.segments) == 1 && s.w != nil {
		errs = append(errs, s.w.Close())
		s.w = nil
	}
	errs = append(errs, os.Remove(s.path(done)))
	s.segments = append(s.segments[:0], s.segments[1:]...)
	s.sent = 0
	return errors.Join(errs...)
}
