package index

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Longest texts that are stored; longer ones are cut. Users choose them, and
// neither memory nor a row may grow without bound.
const (
	maxCommand = 64 << 10
	maxText    = 4 << 10
)

// clean makes s fit for a text column: valid UTF-8 (each invalid byte becomes
// U+FFFD, as in the JSON lines), no NUL, at most maxText bytes. What is clean stays
// as it is: a key that is looked for is the one that was stored.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r == 0 {
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// commandLine turns a NUL-separated argument list into one line that a POSIX
// shell would take apart into the same arguments, and says whether it was cut.
// Arguments of plain characters stay as they are, others stand in single quotes.
func commandLine(dst, args []byte) (line []byte, cut bool) {
	if len(args) == 0 {
		return dst, false
	}
	if len(args) > maxCommand {
		args, cut = args[:maxCommand], true
	}
	args = bytes.TrimSuffix(args, []byte{0})
	for first := true; first || len(args) > 0; first = false {
		arg, rest, more := bytes.Cut(args, []byte{0})
		if !first {
			dst = append(dst, ' ')
		}
		dst = appendQuoted(dst, arg, first)
		args = rest
		if more && len(rest) == 0 { // the list ended with an empty argument
			dst = append(dst, " ''"...)
		}
	}
	return dst, cut
}

// appendQuoted appends one argument. The first one must not look like an
// assignment to a variable.
func appendQuoted(dst, arg []byte, first bool) []byte {
	if len(arg) > 0 && plain(arg) && !(first && bytes.IndexByte(arg, '=') >= 0) {
		return append(dst, arg...)
	}
	dst = append(dst, '\'')
	for len(arg) > 0 {
		r, n := utf8.DecodeRune(arg)
		switch {
		case r == '\'':
			dst = append(dst, `'\''`...)
		case r == utf8.RuneError && n == 1:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = append(dst, arg[:n]...)
		}
		arg = arg[n:]
	}
	return append(dst, '\'')
}

// plain says whether no shell treats any character of arg specially.
func plain(arg []byte) bool {
	for _, c := range arg {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_-./,:=+@%", c) >= 0:
		default:
			return false
		}
	}
	return true
}
