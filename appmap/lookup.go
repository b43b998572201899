package appmap

import (
	"context"
	"path"
	"strings"

	"procmon"
)

// lookup is the search for one answer.
type lookup struct {
	catalog *catalog
	files   *files
	dpkg    *dpkg
	rpm     *rpmdb
	trees   *treeIndexes
	uid     uint32 // whose permissions decide what can be read
	env     *environ
	foreign bool // of another mount namespace, or no file may be read: paths alone
	trace   *trace

	replaced bool      // the file at the executable's path is another one by now
	recorded *recorded // an answer of which files were read for; nil: none
}

// file names one file, executable or script, by the evidence in the order of
// its strength. names says whether a well-known name of an executable counts.
func (l *lookup) file(ctx context.Context, file string, names bool) (finding, bool) {
	if !cleanPath(file) {
		return finding{}, false
	}
	if f, ok := l.catalog.store(file); ok {
		return l.took(f)
	}
	if f, ok := l.told(file); ok {
		return l.took(f)
	}
	if f, ok := l.metadata(ctx, file); ok {
		return l.took(f)
	}
	f, ok := l.tree(ctx, file)
	if ok && !f.weak {
		return l.took(f)
	}
	if n, found := l.named(file, names); found {
		if ok {
			l.trace.lost(f, "a directory that may be a collection, and the name is well known")
		}
		return l.took(n)
	}
	if ok {
		return l.took(f)
	}
	if f, ok := l.catalog.bareTree(file); ok {
		return l.took(f)
	}
	return finding{}, false
}

// told names a file of a network filesystem by its path when that says all:
// a thousand nodes that start one program don't ask its server then.
func (l *lookup) told(file string) (finding, bool) {
	if l.foreign || !l.files.mounts.remote(file) {
		return finding{}, false
	}
	if f, ok := l.catalog.spackPath(file); ok {
		return f, true
	}
	f, ok := l.path(file)
	if !ok || f.weak || f.version == "" || f.entry != nil && (f.entry.toolchain || f.entry.script != nil) {
		return finding{}, false
	}
	return f, true
}

func (l *lookup) took(f finding) (finding, bool) {
	l.trace.won(f)
	return f, true
}

// metadata asks what lists the file: a package database, a tree's own record.
func (l *lookup) metadata(ctx context.Context, file string) (finding, bool) {
	if !l.foreign {
		if f, ok := l.distribution(ctx, file); ok {
			return f, true
		}
	}
	if f, ok := l.catalog.spackPath(file); ok {
		return f, true
	}
	if f, ok := l.recall(file, listing); ok {
		return f, true
	}
	if l.foreign {
		return finding{}, false
	}
	if f, ok := l.condaMeta(ctx, file); ok {
		return f, true
	}
	if f, ok := l.spackSpec(ctx, file); ok {
		return f, true
	}
	if f, ok := l.easyFolder(file); ok {
		return f, true
	}
	if l.replaced {
		return finding{}, false
	}
	return l.packageNote(file)
}

// tree asks the install path: vendors' trees, the modules', plain ones. What
// lies in an interpreter's tree may be a Python distribution of its own.
func (l *lookup) tree(ctx context.Context, file string) (finding, bool) {
	f, ok := l.path(file)
	if ok && !f.weak && f.entry != nil && f.entry.script == nil && !f.entry.toolchain || ok && f.entry == nil && !f.weak {
		return f, true
	}
	if w, found := l.recall(file, wheels); found {
		return w, true
	}
	if !l.foreign {
		if w, found := l.wheel(ctx, file); found {
			if ok {
				l.trace.lost(f, "a Python distribution in that tree lists the file")
			}
			return w, true
		}
	}
	return f, ok
}

func (l *lookup) path(file string) (finding, bool) {
	name := path.Base(file)
	p, ok := l.catalog.plain(file, name)
	if v, found := l.catalog.vendor(file); found && (p.weak || p.glued || len(v.root) >= len(p.root)) {
		p, ok = v, true
	}
	m, found := l.catalog.module(file, l.env)
	switch {
	case !found:
		return p, ok
	case ok && len(p.root) > len(m.root):
		l.trace.lost(m, "another tree lies inside of the module's")
		return p, true
	case m.entry != nil && m.entry.toolchain && l.catalog.kindIn(m.entry, name) == "" && ok:
		l.trace.lost(m, "a compiler or MPI that the application was built with")
		return p, true
	}
	return m, true
}

// named asks the catalogue for the program's name.
func (l *lookup) named(file string, names bool) (finding, bool) {
	if f, ok := l.sitePackage(file); ok {
		return f, true
	}
	if !names {
		return finding{}, false
	}
	m, ok := l.catalog.executable(path.Base(file))
	if !ok {
		return l.packaged(file)
	}
	if m.entry == nil {
		m.entry = l.catalog.claimant(file)
	}
	f := finding{version: m.version, evidence: "names", entry: m.entry}
	switch {
	case common(m.kind, file) && !ownTools(file) && l.catalog.claimant(file) == nil:
		return finding{}, false
	case m.entry != nil:
		f.name = m.entry.name
	case m.kind == procmon.KindLauncher || m.kind == procmon.KindCompiler || m.kind == procmon.KindSystem:
		f.name = path.Base(file) // of several packages, and in each the same thing
	default:
		return finding{}, false
	}
	return f, true
}

// common says whether a program's name is one that users give to programs of
// their own: "test", "install", "sort"; and where it stands in no bin, what is
// very short: "gp", "as", "time".
func common(kind procmon.AppKind, file string) bool {
	dir, name := path.Split(file)
	switch {
	case kind == procmon.KindSystem:
		return true
	case path.Base(dir) == "bin":
		return false
	case kind == procmon.KindCompiler || kind == procmon.KindLauncher:
		return len(name) <= 4
	}
	return len(name) <= 2
}

// packaged names a program that is called like a package and lies where only
// packages put theirs. Elsewhere such names are users' own: "trinity", "sickle".
func (l *lookup) packaged(file string) (finding, bool) {
	e := l.catalog.packages[fold(path.Base(file))]
	if e == nil || !ownTools(file) || path.Base(path.Dir(file)) != "bin" {
		return finding{}, false
	}
	return finding{name: e.name, evidence: "names", entry: e}, true
}

// ownTools says whether a directory holds a system's own tools: of this one, of
// another one below a root of its own, of a conda environment.
func ownTools(file string) bool {
	if inSystem(file) && !strings.HasPrefix(file, "/opt/") {
		return true
	}
	for _, part := range []string{"conda", "/envs/", "/usr/bin/", "/usr/sbin/"} {
		if strings.Contains(file, part) {
			return true
		}
	}
	return false
}

// sitePackage names a file in a Python package that the catalogue knows.
func (l *lookup) sitePackage(file string) (finding, bool) {
	for _, dir := range []string{"/site-packages/", "/dist-packages/"} {
		if _, rel, ok := strings.Cut(file, dir); ok {
			top, _, _ := strings.Cut(rel, "/")
			return l.pythonModule(strings.TrimSuffix(top, ".py"))
		}
	}
	return finding{}, false
}

// pythonModule looks a dotted module name up, the longest prefix first.
func (l *lookup) pythonModule(module string) (finding, bool) {
	for name := module; name != ""; {
		if e := l.catalog.modules[name]; e != nil {
			return finding{name: e.name, evidence: "names", entry: e}, true
		}
		i := strings.LastIndexByte(name, '.')
		name = name[:max(i, 0)]
	}
	return finding{}, false
}
