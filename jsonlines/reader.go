package jsonlines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"procmon"
)

// maxLine bounds a line in bytes, its header included: twice the longest that
// procmond can be told to write.
const maxLine = 2 << 20

// ErrCut says that the last line has no line feed and is no whole record: who
// writes it has not ended it, or the file was cut.
var ErrCut = errors.New("the last line is not whole")

// errLong says why a line was not looked at.
var errLong = fmt.Errorf("%w: longer than %d bytes", ErrBad, maxLine)

// LineError is why a line gives no record.
type LineError struct {
	Line int    // counted from 1
	Text []byte // of the line, its beginning if it is too long; valid until the next call of Next
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads lines. Empty ones, and those that begin with #, are skipped.
type Reader struct {
	r    *bufio.Reader
	buf  []byte
	line int
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 128<<10)} }

// Line is the number of the line that Next gave last, from 1.
func (r *Reader) Line() int { return r.line }

// Text is that line, its beginning if it is too long; valid until the next call
// of Next.
func (r *Reader) Text() []byte { return bytes.TrimSuffix(r.buf, []byte{'\n'}) }

// Next gives the next record, a *LineError for a line that is none, and the
// error of the underlying reader: io.EOF at the end.
func (r *Reader) Next() (procmon.Record, error) {
	for {
		text, whole, err := r.read()
		if err != nil {
			return procmon.Record{}, err
		}
		body := bytes.TrimSpace(text)
		if len(body) == 0 || body[0] == '#' {
			continue
		}
		record, bad := procmon.Record{}, errLong
		if len(text) < maxLine {
			record, bad = Parse(body)
		}
		if bad != nil && !whole {
			bad = fmt.Errorf("%w: %w", ErrCut, bad)
		}
		if bad != nil {
			return procmon.Record{}, &LineError{r.line, text, bad}
		}
		return record, nil
	}
}

// read gives the next line, at most maxLine bytes of it, and whether a line
// feed ended it. What an error cut off is no line.
func (r *Reader) read() (text []byte, whole bool, err error) {
	r.buf = r.buf[:0]
	if cap(r.buf) > 256<<10 { // one long line is not kept room for
		r.buf = nil
	}
	for {
		part, err := r.r.ReadSlice('\n')
		r.buf = append(r.buf, part[:min(len(part), maxLine-len(r.buf))]...)
		switch {
		case err == nil:
			r.line++
			return bytes.TrimSuffix(r.buf, []byte{'\n'}), true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(r.buf) > 0:
			r.line++
			return r.buf, false, nil
		default:
			return nil, false, err
		}
	}
}
