package appmap

import (
	"context"
	"encoding/json"
	"path"
	"strings"
)

// Bounds on the metadata of one tree. A larger file is not what it claims to
// be, or not worth the time.
const (
	maxMetadata    = 8 << 20  // bytes of one file
	maxTreeBytes   = 32 << 20 // bytes read of one tree for one answer
	maxTreeEntries = 8192     // names listed of one directory
	maxTreeOpens   = 1024     // files opened of one directory for one answer
)

// prefixWords are the directories that stand right below the root of an
// installed tree. Only directories that hold one are asked for metadata, so
// that a look-up costs few opens.
var prefixWords = map[string]bool{
	"bin": true, "sbin": true, "lib": true, "lib64": true, "libexec": true, "share": true,
	"opt": true, "x86_64-conda-linux-gnu": true, "Scripts": true,
}

// prefixes are the directories above a file that may be a tree's root,
// innermost first, at most six.
func prefixes(file string) []string {
	dirs := splitDirs(file)
	var found []string
	for i := len(dirs) - 1; i > 0 && len(found) < 6; i-- {
		if prefixWords[dirs[i]] {
			found = append(found, joinDirs(dirs[:i]))
		}
	}
	return found
}

// spackSpec reads <prefix>/.spack/spec.json, which tells name and version of
// a tree whose path does not.
func (l *lookup) spackSpec(_ context.Context, file string) (finding, bool) {
	for _, root := range prefixes(file) {
		if !strings.Contains(root, "/") || hostPrefix(root) {
			continue
		}
		data, err := l.files.read(root, ".spack/spec.json", maxMetadata)
		if err != nil {
			continue
		}
		name, version := parseSpackSpec(data)
		if name == "" {
			continue
		}
		f := finding{name: name, version: version, pkg: name + "-" + version, evidence: "spack", root: root}
		f.entry = l.catalog.pkg(name)
		return f, true
	}
	return finding{}, false
}

// hostPrefix are the distribution's own prefixes, which its package database
// describes.
func hostPrefix(root string) bool { return root == "/usr" || root == "/" || root == "" }

// parseSpackSpec takes the root package of a spec file: the first of nodes,
// or in the oldest form the first of a list of one-key objects.
func parseSpackSpec(data []byte) (name, version string) {
	var doc struct {
		Spec json.RawMessage `json:"spec"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return "", ""
	}
	type node struct {
		Name    string `json:"name"`
		Version any    `json:"version"`
	}
	var spec struct {
		Nodes []node `json:"nodes"`
	}
	if json.Unmarshal(doc.Spec, &spec) == nil && len(spec.Nodes) > 0 {
		v, _ := spec.Nodes[0].Version.(string)
		return cleanWord(spec.Nodes[0].Name), cleanWord(v)
	}
	var old []map[string]node
	if json.Unmarshal(doc.Spec, &old) == nil && len(old) > 0 && len(old[0]) == 1 {
		for name, n := range old[0] {
			v, _ := n.Version.(string)
			return cleanWord(name), cleanWord(v)
		}
	}
	return "", ""
}

// cleanWord refuses what can't be a package's name or version.
func cleanWord(s string) string {
	if len(s) > 128 {
		return ""
	}
	for _, c := range s {
		if c <= ' ' || c > '~' || c == '/' || c == '"' || c == '\\' {
			return ""
		}
	}
	return s
}

// pathIn gives file relative to a tree's root.
func pathIn(root, file string) string {
	return strings.TrimPrefix(strings.TrimPrefix(file, root), "/")
}

func base(file string) string { return path.Base(file) }
