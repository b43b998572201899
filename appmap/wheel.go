package appmap

import (
	"bytes"
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
)

// wheel finds the Python distribution that lists a file: RECORD in
// <site-packages>/<name>-<version>.dist-info (the PyPA's "Recording installed
// projects"). Console scripts stand in it as ../../../bin/NAME.
func (l *lookup) wheel(ctx context.Context, file string) (finding, bool) {
	for _, site := range l.sitePackages(file) {
		rel, ok := relativeTo(site, file)
		if !ok {
			continue
		}
		if f, ok := l.wheelIn(ctx, site, rel); ok {
			return f, true
		}
	}
	return finding{}, false
}

// sitePackages are the directories that may hold metadata about a file: the
// one it lies in, or those of the prefix whose bin it lies in.
func (l *lookup) sitePackages(file string) []string {
	for _, dir := range []string{"/site-packages/", "/dist-packages/"} {
		if i := strings.Index(file, dir); i >= 0 {
			return []string{file[:i+len(dir)-1]}
		}
	}
	root, ok := strings.CutSuffix(path.Dir(file), "/bin")
	if !ok || hostPrefix(root) {
		return nil
	}
	return l.sitesOf(root)
}

// sitesOf lists <root>/lib/python3.*/site-packages, at most four.
func (l *lookup) sitesOf(root string) []string {
	var sites []string
	names := l.files.list(root+"/lib", 1024)
	slices.Sort(names)
	for _, n := range names {
		if strings.HasPrefix(n, "python") && len(sites) < 4 {
			sites = append(sites, root+"/lib/"+n+"/site-packages")
		}
	}
	return sites
}

// relativeTo gives the path from dir to file, as RECORD writes it.
func relativeTo(dir, file string) (string, bool) {
	up := ""
	for range 6 {
		if below(file, dir) {
			return up + file[len(dir)+1:], true
		}
		dir, up = path.Dir(dir), up+"../"
		if dir == "/" {
			break
		}
	}
	return "", false
}

// wheelIn finds the distribution of a site that lists rel: the one that is
// called like it, then in the index of all.
func (l *lookup) wheelIn(ctx context.Context, site, rel string) (finding, bool) {
	if f, ok, known := l.listed(site, rel); known {
		return l.wheelNamed(f, ok)
	}
	names, alike := l.distInfos(site, rel)
	for _, name := range names[:min(alike, maxTreeOpens)] {
		if record, err := l.files.read(site, name+"/RECORD", maxMetadata); err == nil && recordLists(record, rel) {
			return l.wheelNamed(wheelDir(site, name), true)
		}
	}
	if alike == len(names) {
		return finding{}, false
	}
	return l.wheelNamed(l.index(ctx, site, rel, func(x *treeIndex) { l.readWheels(ctx, site, names, x) }))
}

// wheelDir is a distribution whose name and version are not read yet.
func wheelDir(site, name string) finding {
	return finding{pkg: name, evidence: "dist-info", root: site}
}

// wheelNamed reads a distribution's METADATA.
func (l *lookup) wheelNamed(f finding, ok bool) (finding, bool) {
	if !ok {
		return finding{}, false
	}
	metadata, err := l.files.read(f.root, f.pkg+"/METADATA", maxMetadata)
	if err != nil {
		return finding{}, false
	}
	dist, version := parseMetadata(metadata)
	f.name, f.version, f.pkg, f.entry = dist, pythonUpstream(version), dist+"-"+version, l.catalog.pkg(dist)
	return f, dist != ""
}

// readWheels fills the index of a site.
func (l *lookup) readWheels(ctx context.Context, site string, names []string, x *treeIndex) {
	read := 0
	for _, name := range names[:min(len(names), maxTreeOpens)] {
		if ctx.Err() != nil || read > maxTreeBytes || x.full() {
			return
		}
		record, err := l.files.read(site, name+"/RECORD", maxMetadata)
		read += len(record)
		if err != nil {
			continue
		}
		item := uint32(len(x.items))
		eachRecorded(record, func(file []byte) {
			if likely(file) && !x.full() {
				x.add(file, item)
			}
		})
		x.items = append(x.items, wheelDir(site, name))
	}
}

// distInfos lists the metadata directories of a site, those first that are
// called like the file, and says how many those are.
func (l *lookup) distInfos(site, rel string) (names []string, alike int) {
	names = slices.DeleteFunc(l.files.list(site, maxTreeEntries), func(n string) bool {
		return !strings.HasSuffix(n, ".dist-info")
	})
	top, _, _ := strings.Cut(strings.TrimLeft(rel, "./"), "/")
	if strings.HasPrefix(rel, "../") {
		top = base(rel)
	}
	want := fold(strings.TrimSuffix(top, ".py"))
	rank := func(n string) int {
		if dist, _, _ := strings.Cut(n, "-"); fold(dist) == want {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for alike < len(names) && rank(names[alike]) == 0 {
		alike++
	}
	return names, alike
}

// recordLists says whether a RECORD lists a path.
func recordLists(record []byte, rel string) bool {
	found := false
	eachRecorded(record, func(file []byte) { found = found || string(file) == rel })
	return found
}

// eachRecorded goes through the paths of a RECORD (CSV: path, hash, size).
func eachRecorded(record []byte, each func(file []byte)) {
	for len(record) > 0 {
		var line []byte
		line, record, _ = bytes.Cut(record, []byte("\n"))
		if quoted, ok := bytes.CutPrefix(line, []byte{'"'}); ok {
			line, _, _ = bytes.Cut(quoted, []byte{'"'})
		} else {
			line, _, _ = bytes.Cut(line, []byte{','})
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		if len(line) > 0 {
			each(line)
		}
	}
}

// parseMetadata takes Name and Version of a METADATA or PKG-INFO file: the
// headers end at the first empty line.
func parseMetadata(data []byte) (name, version string) {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			break
		}
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch string(bytes.ToLower(key)) {
		case "name":
			name = cleanWord(string(bytes.TrimSpace(value)))
		case "version":
			version = cleanWord(string(bytes.TrimSpace(value)))
		}
	}
	return name, version
}

// pythonUpstream takes epoch and local part off a version (PEP 440).
func pythonUpstream(v string) string {
	if _, rest, ok := strings.Cut(v, "!"); ok {
		v = rest
	}
	v, _, _ = strings.Cut(v, "+")
	return bounded(v, maxVersion)
}
