package appmap

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxVersion bounds a version string; longer ones are no versions.
const maxVersion = 64

// versionPart is one segment between dots, dashes or underscores: digits with
// a short tail ("3", "1b2", "0rc1", "2023a").
var versionPart = regexp.MustCompile(`^([0-9]{1,12}[a-z]{0,5}[0-9]{0,4}|[0-9]{1,2}[A-Z][a-z]{2}[0-9]{2,4}|[0-9]{1,2}p[0-9]{1,2}r[0-9]{1,2}|20[0-9]{2}[Rr][0-9])$`)

// lettered are versions that begin with a letter for the year: R-2020.12-SP1.
var lettered = regexp.MustCompile(`^[A-Z]-20[0-9]{2}\.[0-9]{2}(-SP[0-9]+)?(-[0-9]+)?$`)

// preRelease are words that belong to an upstream version although they begin
// with a letter.
var preRelease = regexp.MustCompile(`(?i)^(rc|alpha|beta|a|b|pre|preview|dev|post|patch|p|pl|sp|update|u|hotfix|stable)\.?[0-9]*$`)

// edition is a last segment with a capital, "1.95P", and commit the beginning of
// a hash as one, "13.46.0.919e8c6b".
var (
	edition = regexp.MustCompile(`^[0-9]{1,4}[A-Z]$`)
	commit  = regexp.MustCompile(`^[0-9a-f]{7,12}$`)
)

// hashField is the beginning of a hash that follows a version: "6.28.04-740f6".
var hashField = regexp.MustCompile(`^[0-9]+[a-f]+[0-9]+[0-9a-f]*$`)

// notVersion are digits that tell a word size, a dimension or a platform.
var notVersion = regexp.MustCompile(`(?i)^([0-9]+(d|ddp|bit|bits|dslicer)|x?86|x?64|32|64)$`)

// upstream parts the upstream version from what a packager or site put behind
// it: "2023.3-foss-2023a-CUDA" is 2023.3, "9.0-gcc11-openmpi4" is 9.0,
// "7.1-1-gompi-2023a" is 7.1-1. It is empty when s does not begin with a
// version.
func upstream(s string) string {
	if len(s) == 0 || len(s) > 4*maxVersion {
		return ""
	}
	if lettered.MatchString(s) {
		return s
	}
	lead, rest := versionLead(s)
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		return ""
	}
	v, ok := takeVersion(rest)
	if !ok || len(v) > maxVersion || notVersion.MatchString(v) {
		return ""
	}
	if numbered.MatchString(v) {
		v = strings.ReplaceAll(v, "_", ".")
	}
	return lead + v
}

// numbered are versions whose dots became underscores: "1_74_0".
var numbered = regexp.MustCompile(`^[0-9]{1,3}(_[0-9]{1,3})+$`)

// versionLead parts the letter of "v1.2", "r7771" and "R2022b" from the
// digits. The v goes, since it is a mark and no part of the version.
func versionLead(s string) (lead, rest string) {
	switch s[0] {
	case 'v', 'V':
		return "", s[1:]
	case 'r', 'R':
		return s[:1], s[1:]
	}
	return "", s
}

// takeVersion takes dash- and underscore-separated fields for as long as they
// look like parts of a version.
func takeVersion(s string) (string, bool) {
	end := 0
	for end < len(s) {
		stop := fieldEnd(s, end)
		field := s[end:stop]
		if end > 0 {
			field = s[end+1 : stop]
		}
		if !versionField(field, end == 0) {
			break
		}
		end = stop
	}
	return s[:end], end > 0
}

func fieldEnd(s string, from int) int {
	if from > 0 {
		from++
	}
	if i := strings.IndexAny(s[from:], "-_+~"); i >= 0 {
		return from + i
	}
	return len(s)
}

// versionField tests one dotted field, "5.2.4" or "rc1".
func versionField(field string, first bool) bool {
	if field == "" {
		return false
	}
	if !first && preRelease.MatchString(field) {
		return true
	}
	if !first && len(field) >= 5 && hashField.MatchString(field) {
		return false
	}
	for i, part := range strings.Split(field, ".") {
		if versionPart.MatchString(part) {
			continue
		}
		if i == 0 || !preRelease.MatchString(part) && !shortWord(part) && !edition.MatchString(part) && (i < 2 || !commit.MatchString(part)) {
			return false
		}
	}
	return true
}

// shortWord are letters at the end of a dotted version: "31.11.gem", "1.2.x".
func shortWord(s string) bool {
	if len(s) == 0 || len(s) > 5 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return s != "x"
}

// splitNameVersion parts "bowtie2-2.3.5.1-linux-x86_64" into name and version
// at the first dash or underscore that a version follows.
func splitNameVersion(s string) (name, version string) {
	for i := 1; i < len(s)-1; i++ {
		if s[i] != '-' && s[i] != '_' {
			continue
		}
		if v := upstream(s[i+1:]); v != "" && (s[i+1] >= '0' && s[i+1] <= '9' || s[i+1] == 'v') {
			return s[:i], v
		}
	}
	return "", ""
}

// debianUpstream takes epoch, revision, and marks of repacking and snapshots off a Debian
// version (deb-version(7)).
func debianUpstream(v string) string {
	if _, rest, ok := strings.Cut(v, ":"); ok {
		v = rest
	}
	if i := strings.LastIndexByte(v, '-'); i > 0 {
		v = v[:i]
	}
	if _, real, ok := strings.Cut(v, "+really"); ok {
		v = real
	}
	for _, mark := range []string{"+dfsg", "~dfsg", ".dfsg", "-dfsg", "+ds", "~ds", ".ds", "+repack", "+git", "~git", "+deb", "+nmu"} {
		if i := strings.Index(v, mark); i > 0 {
			v = v[:i]
		}
	}
	if m := datedRelease.FindStringSubmatch(v); m != nil {
		v = m[1]
	}
	return bounded(v, maxVersion)
}

// datedRelease is a release of three numbers or more with the day of a snapshot
// behind it, of which the program knows nothing: R 4.2.2 is 4.2.2.20221110.
var datedRelease = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+){2,})\.(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]$`)

// rpmUpstream takes the snapshot mark off an RPM version (rpm-version(7)).
func rpmUpstream(v string) string {
	if i := strings.IndexByte(v, '^'); i > 0 {
		v = v[:i]
	}
	return bounded(v, maxVersion)
}

// bounded cuts s to n bytes at most, and no character in two.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
