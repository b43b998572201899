package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// harmless makes text of users safe to show on a terminal: what is no
// printable character becomes an escape as in Go and C, so that nothing moves
// the cursor, breaks the line or turns the direction of text.
func harmless(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case shown(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

func clean(s string) bool {
	for _, r := range s {
		if !shown(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// shown says whether a character may go to a terminal as it is. Format
// characters (Cf), among them those that turn the direction, may not.
func shown(r rune) bool { return unicode.IsPrint(r) }

// width is how many columns a terminal needs for harmless text.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth follows Unicode's East Asian Width (UAX 11) by blocks.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// cut shortens text to a number of columns, with an ellipsis at its end.
func cut(s string, columns int) string {
	if width(s) <= columns {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > columns-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// cutLeft shortens text at its beginning, as paths are told by their end.
func cutLeft(s string, columns int) string {
	over := width(s) - columns
	if over <= 0 {
		return s
	}
	for i, r := range s {
		if over < 0 {
			return "…" + s[i:]
		}
		over -= runeWidth(r)
	}
	return "…"
}
