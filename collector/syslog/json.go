package syslog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// cutMark ends a string that was cut.
const cutMark = "…"

// writer appends JSON to a buffer. No string takes more than cap bytes in the
// buffer, quotes not counted. Keys are given by us and need no escapes.
type writer struct {
	b   []byte
	cap int
}

// key begins a member or, with an empty name, an element.
func (w *writer) key(name string) {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' {
		w.b = append(w.b, ',')
	}
	if name != "" {
		w.b = append(append(append(w.b, '"'), name...), '"', ':')
	}
}

// open begins an object or array; close with what it returned.
func (w *writer) open(name string, bracket byte) (mark int) {
	mark = len(w.b)
	w.key(name)
	w.b = append(w.b, bracket)
	return mark
}

// close ends what open began, and takes an empty one away: what is not known
// is absent.
func (w *writer) close(mark int) {
	switch w.b[len(w.b)-1] {
	case '{', '[':
		w.b = w.b[:mark]
		return
	}
	// The bracket stands after the comma and the name, at the first { or [.
	for _, c := range w.b[mark:] {
		if c == '{' || c == '[' {
			w.b = append(w.b, c+2) // ASCII has the closing ones two further
			return
		}
	}
}

// str adds a string unless it is empty.
func (w *writer) str(name, value string) {
	if value != "" {
		w.key(name)
		w.value(value)
	}
}

// strs adds an array of strings unless it is empty.
func (w *writer) strs(name string, values ...string) {
	m := w.open(name, '[')
	for _, v := range values {
		w.key("")
		w.value(v)
	}
	w.close(m)
}

func (w *writer) value(s string) {
	w.b = append(w.b, '"')
	start := len(w.b)
	var n int
	w.b, n = appendText(w.b, s, w.cap)
	if n < len(s) {
		w.b, _ = appendText(w.b[:start], s, w.cap-len(cutMark))
		w.b = append(w.b, cutMark...)
	}
	w.b = append(w.b, '"')
}

func (w *writer) int(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) uint(name string, n uint64) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, n, 10)
}

// id adds a number as a string, as ECS has user ids.
func (w *writer) id(name string, n uint32) {
	w.key(name)
	w.b = append(strconv.AppendUint(append(w.b, '"'), uint64(n), 10), '"')
}

func (w *writer) yes(name string, b bool) {
	if b {
		w.key(name)
		w.b = append(w.b, "true"...)
	}
}

// time adds a time in UTC with microseconds, unless it is zero or in a year
// that has not four digits.
func (w *writer) time(name string, t time.Time) {
	t = t.UTC()
	if y := t.Year(); t.IsZero() || y < 0 || y > 9999 {
		return
	}
	w.key(name)
	w.b = t.AppendFormat(append(w.b, '"'), stampIETF)
	w.b = append(w.b, '"')
}

// appendText adds s as the inside of a JSON string, as much of it as fits in
// limit bytes, and says how many bytes of s that was. Bytes that are not UTF-8
// become U+FFFD. Control characters are escaped, also those that JSON would
// let pass but terminals, JavaScript or rsyslog would not: DEL, U+0080 to
// U+009F, U+2028, U+2029.
func appendText[T string | []byte](dst []byte, s T, limit int) (_ []byte, n int) {
	end := len(dst) + limit
	for n < len(s) {
		c := s[n]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			if len(dst) >= end {
				break
			}
			dst = append(dst, c)
			n++
			continue
		}
		var esc [6]byte
		e, size := escape(esc[:0], s[n:min(n+utf8.UTFMax, len(s))])
		if len(dst)+len(e) > end {
			break
		}
		dst = append(dst, e...)
		n += size
	}
	return dst, n
}

// escape adds the first character of s to dst as JSON has it.
func escape[T string | []byte](dst []byte, s T) (_ []byte, size int) {
	switch c := s[0]; c {
	case '"', '\\':
		return append(dst, '\\', c), 1
	case '\n':
		return append(dst, '\\', 'n'), 1
	case '\r':
		return append(dst, '\\', 'r'), 1
	case '\t':
		return append(dst, '\\', 't'), 1
	}
	var in [utf8.UTFMax]byte
	r, size := utf8.DecodeRune(in[:copy(in[:], s)])
	if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
		const hex = "0123456789abcdef"
		return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]), size
	}
	return utf8.AppendRune(dst, r), size // RuneError for what is not UTF-8
}
