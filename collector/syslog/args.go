package syslog

import (
	"bytes"
	"strconv"

	"procmon"
)

// argsFrame is what the members of appendArgs take beside the arguments.
const argsFrame = len(`,"args":[],"args_truncated":18446744073709551615,"command_line":"…","command_line_truncated":true`)

// appendArgs adds the members that tell the arguments, in at most room bytes.
// With a command line beside them, the arguments get half of it.
func (e *encoder) appendArgs(dst []byte, p *procmon.Process, room int) []byte {
	room = max(0, room-argsFrame)
	if e.schema == SchemaClassic {
		e.cmd = joinArgs(e.cmd[:0], p.Args, room)
		return appendCommandLine(dst, "cmdline", e.cmd, room, p.ArgsBytes > len(p.Args)+1)
	}
	share := room
	if e.commandLine {
		share = room / 2
	}
	before := len(dst)
	dst, kept := appendArray(dst, p.Args, share)
	room -= len(dst) - before
	if cut := truncated(p, kept); cut > 0 {
		dst = append(dst, `,"args_truncated":`...)
		dst = strconv.AppendInt(dst, int64(cut), 10)
	}
	if e.commandLine && room > 0 {
		e.cmd = quoteArgs(e.cmd[:0], p.Args, room)
		dst = appendCommandLine(dst, "command_line", e.cmd, room, p.ArgsBytes > len(p.Args)+1)
	}
	return dst
}

// truncated is how many bytes of the argument list are not told, counting
// those that were not captured. A NUL that ends a list is no byte to miss.
func truncated(p *procmon.Process, kept int) int {
	cut := max(p.ArgsBytes, len(p.Args)) - kept
	if cut == 1 && kept == len(p.Args) {
		return 0
	}
	return cut
}

// appendArray adds as many arguments as fit, the last of them cut if it must
// be, and says how many bytes of the list it told.
func appendArray(dst, list []byte, room int) (_ []byte, kept int) {
	start, end := len(dst), len(dst)+len(`,"args":[]`)+room
	dst = append(dst, `,"args":[`...)
	first := len(dst)
	for kept < len(list) {
		arg, _, _ := bytes.Cut(list[kept:], []byte{0})
		mark := len(dst)
		if mark > first {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		var n int
		dst, n = appendText(dst, arg, end-len(dst)-len(`"]`))
		if n == 0 && len(arg) > 0 || len(dst)+len(`"]`) > end {
			dst = dst[:mark]
			break
		}
		dst = append(dst, '"')
		kept += n
		if n < len(arg) {
			break
		}
		kept = min(kept+1, len(list)) // its NUL
	}
	if len(dst) == first {
		return dst[:start], kept
	}
	return append(dst, ']'), kept
}

// joinArgs adds the arguments with spaces between, as far as room bytes of
// JSON can need them.
func joinArgs(dst, list []byte, room int) []byte {
	list = bytes.TrimSuffix(list, []byte{0})
	list = list[:min(len(list), room+1)] // no character is shorter in JSON
	for _, c := range list {
		if c == 0 {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// quoteArgs adds the arguments as one would type them in a POSIX shell, as far
// as room bytes of JSON can need them.
func quoteArgs(dst, list []byte, room int) []byte {
	for len(list) > 0 && len(dst) <= room {
		var arg []byte
		arg, list, _ = bytes.Cut(list, []byte{0})
		if len(dst) > 0 {
			dst = append(dst, ' ')
		}
		dst = appendQuoted(dst, arg)
	}
	return dst
}

// appendCommandLine adds the member name with the command line text. Where it
// does not fit, or was cut before, it ends in "…" and a second member says so.
func appendCommandLine(dst []byte, name string, text []byte, room int, cut bool) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	dst, n := appendText(dst, text, room)
	if n == len(text) && !cut {
		return append(dst, '"')
	}
	dst = append(dst, cutMark+`","`...)
	return append(append(dst, name...), `_truncated":true`...)
}

// appendQuoted adds one argument as a POSIX shell takes it back: bare where
// nothing in it is special, else in single quotes.
func appendQuoted(dst, arg []byte) []byte {
	bare := len(arg) > 0
	for _, c := range arg {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			bytes.IndexByte([]byte("_@%+=:,./-"), c) >= 0 {
			continue
		}
		bare = false
		break
	}
	if bare {
		return append(dst, arg...)
	}
	dst = append(dst, '\'')
	for _, c := range arg {
		if c == '\'' {
			dst = append(dst, `'\'`...)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}
