package render

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
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

// ignoreLocale keeps the library from asking the environment how wide
// characters are: terminals show what Unicode calls ambiguous, such as the
// ellipsis, in one column in East Asia too.
var ignoreLocale = sync.OnceFunc(func() { text.OverrideRuneWidthEastAsianWidth(false) })

// width is how many columns a terminal needs for harmless text.
func width(s string) int { return text.StringWidthWithoutEscSequences(s) }

// cut shortens text to a number of columns, at least 1, with an ellipsis at its end.
func cut(s string, columns int) string { return text.Snip(s, columns, "…") }

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
		over -= text.RuneWidth(r)
	}
	return "…"
}
