package appmap

import (
	"bytes"
	"slices"
	"strings"
)

// Bounds of EasyBuild's own record of a tree.
const (
	maxEasyEntries = 256     // names listed of the folder
	maxEasyconfig  = 1 << 20 // bytes of one easyconfig
)

// easyFolder reads <tree>/easybuild/<name>-<version>….eb, which EasyBuild
// leaves in every tree that it installs, whatever the tree is called.
func (l *lookup) easyFolder(file string) (finding, bool) {
	for _, root := range prefixes(file) {
		if hostPrefix(root) {
			continue
		}
		names := l.files.list(root+"/easybuild", maxEasyEntries)
		slices.Sort(names)
		for _, n := range names {
			if !strings.HasSuffix(n, ".eb") {
				continue
			}
			data, err := l.files.read(root+"/easybuild", n, maxEasyconfig)
			if err != nil {
				return finding{}, false
			}
			name, version := parseEasyconfig(data)
			if name == "" || version == "" {
				return finding{}, false
			}
			f := finding{name: name, version: version, pkg: strings.TrimSuffix(n, ".eb"), evidence: "easybuild", root: root}
			f.entry = l.catalog.pkg(name)
			return f, true
		}
	}
	return finding{}, false
}

// parseEasyconfig takes name and version of an easyconfig, which is Python:
// both stand at the start of a line as plain strings, or they are not taken.
func parseEasyconfig(data []byte) (name, version string) {
	for line := range bytes.Lines(data) {
		key, value, ok := strings.Cut(string(line[:min(len(line), 512)]), "=")
		if !ok {
			continue
		}
		switch strings.TrimRight(key, " \t") {
		case "name":
			name = pythonString(value)
		case "version":
			version = pythonString(value)
		}
	}
	return name, version
}

// pythonString takes a quoted string without escapes or templates.
func pythonString(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 3 || s[0] != '\'' && s[0] != '"' {
		return ""
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return ""
	}
	rest := strings.TrimSpace(s[end+2:])
	if rest != "" && rest[0] != '#' {
		return ""
	}
	word := cleanWord(s[1 : end+1])
	if strings.ContainsAny(word, "%{}") {
		return ""
	}
	return word
}
