package appmap

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

// condaMeta finds the package of a conda environment that lists the file:
// <env>/conda-meta/<name>-<version>-<build>.json has the paths of its files.
func (l *lookup) condaMeta(ctx context.Context, file string) (finding, bool) {
	for _, root := range prefixes(file) {
		if hostPrefix(root) {
			continue
		}
		if f, ok := l.condaPackage(ctx, root, pathIn(root, file)); ok {
			f.root = root
			return f, true
		}
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

// condaPackage finds the package that lists rel: among the few that are called
// like the program, then in the index of all.
func (l *lookup) condaPackage(ctx context.Context, root, rel string) (finding, bool) {
	dir := root + "/conda-meta"
	if f, ok, known := l.listed(dir, rel); known {
		return f, ok
	}
	names := slices.DeleteFunc(l.condaNames(dir), func(n string) bool { return !strings.HasSuffix(n, ".json") })
	alike := l.sortByLikeness(names, base(rel))
	if l.files.mounts.remote(dir) {
		alike = len(names)
	}
	read := 0
	for _, name := range names[:min(alike, maxTreeOpens)] {
		if ctx.Err() != nil || read > maxTreeBytes {
			return finding{}, false
		}
		data, err := l.files.read(dir, name, maxMetadata)
		read += len(data)
		if err != nil {
			continue
		}
		if r, ok := parseCondaMeta(data, rel); ok {
			return l.condaFinding(name, r), true
		}
	}
	if alike == len(names) {
		return finding{}, false
	}
	return l.index(ctx, dir, rel, func(x *treeIndex) { l.readConda(ctx, dir, names, x) })
}

func (l *lookup) condaFinding(file string, r condaRecord) finding {
	return finding{name: r.Name, version: r.Version, pkg: strings.TrimSuffix(file, ".json"), evidence: "conda", entry: l.catalog.pkg(r.Name)}
}

// readConda fills the index of a conda-meta.
func (l *lookup) readConda(ctx context.Context, dir string, names []string, x *treeIndex) {
	read := 0
	for _, name := range names[:min(len(names), maxTreeOpens)] {
		if ctx.Err() != nil || read > maxTreeBytes || x.full() {
			return
		}
		data, err := l.files.read(dir, name, maxMetadata)
		read += len(data)
		if err != nil {
			continue
		}
		before, item := len(x.refs), uint32(len(x.items))
		pkg, version, ok := scanCondaMeta(data, func(file []byte) {
			if likely(file) && !x.full() {
				x.add(file, item)
			}
		})
		if !ok || pkg == "" {
			x.refs = x.refs[:before]
			continue
		}
		x.items = append(x.items, l.condaFinding(name, condaRecord{Name: pkg, Version: version}))
	}
}

// sortByLikeness puts the packages first whose names resemble the program's,
// or its application's in the catalogue, and says how many those are.
func (l *lookup) sortByLikeness(names []string, program string) (alike int) {
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
			alike++
		case len(prog) > 2 && strings.HasPrefix(n, prog[:3]):
			ranks[name] = 1
			alike++
		default:
			ranks[name] = 2
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), cmp.Compare(a, b))
	})
	return alike
}

// condaRecord is what a conda-meta file says of its package.
type condaRecord struct{ Name, Version string }

// parseCondaMeta reads one file of conda-meta; ok is false unless it lists
// rel.
func parseCondaMeta(data []byte, rel string) (r condaRecord, ok bool) {
	listed := false
	r.Name, r.Version, ok = scanCondaMeta(data, func(file []byte) { listed = listed || string(file) == rel })
	return r, ok && listed && r.Name != ""
}
