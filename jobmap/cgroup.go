package jobmap

import (
	"strings"

	"procmon"
)

// maxID is the longest job id that is taken for one, in bytes. PBS allows 7 or
// more digits, an index and a host name.
const maxID = 320

// anchored prepares the path of a cgroup for reading from its root: it takes
// away " (deleted)", which the kernel appends once the directory is gone, and
// the "/.." that a reader in a cgroup namespace of its own sees
// (cgroup_namespaces(7)). up says that there were some: the path then starts
// at an unknown depth.
func anchored(path string) (rest string, up bool) {
	rest = strings.TrimSuffix(path, " (deleted)")
	for strings.HasPrefix(rest, "/..") && (len(rest) == 3 || rest[3] == '/') {
		rest, up = rest[3:], true
	}
	return rest, up
}

// component cuts the first component off an absolute path.
func component(path string) (first, rest string) {
	if path == "" || path[0] != '/' {
		return "", ""
	}
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// controllerRank says how far one of the wanted controllers of a cgroup v1
// line stands from the front of the list, -1 when it has none of them.
// Controllers can share a hierarchy: "cpu,cpuacct".
func controllerRank(c procmon.Cgroup, wanted ...string) int {
	for i, w := range wanted {
		for list := c.Controllers; list != ""; {
			var one string
			one, list, _ = strings.Cut(list, ",")
			if one == w {
				return i
			}
		}
	}
	return -1
}

// digits says whether s is a decimal number of at most 10 digits, which is
// what ids of 32 bits have.
func digits[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 10 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// parseUID reads a user id.
func parseUID[T string | []byte](s T) (uid uint32, ok bool) {
	if !digits(s) {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		n = n*10 + uint64(s[i]-'0')
	}
	if n >= uint64(procmon.NoUID) {
		return 0, false
	}
	return uint32(n), true
}
