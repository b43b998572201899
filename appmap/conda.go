package appmap

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// condaMeta finds the package of a conda environment that lists the file:
// <env>/conda-meta/<name>-<version>-<build>.json has the paths of its files.
// Packages whose name is like the file's are read first; the rest only until
// maxTreeBytes are read.
func (l *lookup) condaMeta(ctx context.Context, file string) (finding, bool) {
	for _, root := range prefixes(file) {
		if hostPrefix(root) {
			continue
		}
		names := l.condaNames(root + "/conda-meta")
		if len(names) == 0 {
			continue
		}
		f, ok := l.condaPackage(ctx, root, names, pathIn(root, file))
		if ok {
			f.root = root
		}
		return f, ok
	}
	return finding{}, false
}

// condaNames lists the files of a conda-meta: by its own record of what was
// installed where directories are not listed.
func (l *lookup) condaNames(dir string) []string {
	if !l.files.mounts.remote(dir) {
		return l.files.list(dir, maxTreeEntries)
	}
	data, err := l.files.read(dir, "history", maxMetadata)
	if err != nil {
		return nil
	}
	return parseHistory(data)
}

// parseHistory reads conda-meta/history: "+channel::name-version-build" was
// installed, "-…" was removed.
func parseHistory(data []byte) []string {
	there := map[string]bool{}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) < 2 || line[0] != '+' && line[0] != '-' || len(there) >= maxTreeEntries {
			continue
		}
		item := line[1:]
		if i := bytes.LastIndex(item, []byte("::")); i >= 0 {
			item = item[i+2:]
		}
		if name := cleanWord(string(item)); line[0] == '+' && name != "" {
			there[name+".json"] = true
		} else {
			delete(there, name+".json")
		}
	}
	return slices.Sorted(maps.Keys(there))
}

func (l *lookup) condaPackage(ctx context.Context, root string, names []string, rel string) (finding, bool) {
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".json") })
	l.sortByLikeness(names, base(rel))
	quoted, err := json.Marshal(rel)
	if err != nil {
		return finding{}, false
	}
	read := 0
	for _, name := range names[:min(len(names), maxTreeOpens)] {
		if ctx.Err() != nil || read > maxTreeBytes {
			return finding{}, false
		}
		data, err := l.files.read(root+"/conda-meta", name, maxMetadata)
		read += len(data)
		if err != nil || !bytes.Contains(data, quoted) {
			continue
		}
		p, ok := parseCondaMeta(data, rel)
		if !ok {
			continue
		}
		f := finding{name: p.Name, version: p.Version, pkg: strings.TrimSuffix(name, ".json"), evidence: "conda"}
		f.entry = l.catalog.pkg(p.Name)
		return f, true
	}
	return finding{}, false
}

// sortByLikeness puts the packages first whose names resemble the program's,
// or its application's in the catalogue.
func (l *lookup) sortByLikeness(names []string, program string) {
	app := ""
	if m, ok := l.catalog.executable(program); ok && m.entry != nil {
		app = fold(m.entry.name)
	}
	prog := fold(program)
	ranks := make(map[string]int, len(names))
	for _, name := range names {
		n := fold(name)
		switch {
		case app != "" && strings.HasPrefix(n, app):
		case len(prog) > 2 && strings.HasPrefix(n, prog[:3]):
			ranks[name] = 1
		default:
			ranks[name] = 2
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), cmp.Compare(a, b))
	})
}

// condaRecord is what a conda-meta file says of its package.
type condaRecord struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Files   []string `json:"files"`
}

// parseCondaMeta reads one file of conda-meta; ok is false unless it lists
// rel.
func parseCondaMeta(data []byte, rel string) (condaRecord, bool) {
	var r condaRecord
	if json.Unmarshal(data, &r) != nil {
		return condaRecord{}, false
	}
	r.Name, r.Version = cleanWord(r.Name), cleanWord(r.Version)
	return r, r.Name != "" && slices.Contains(r.Files, rel)
}
