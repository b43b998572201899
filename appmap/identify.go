package appmap

import (
	"cmp"
	"context"
	"path"
	"strings"

	"procmon"
)

// name is the way from a subject to its application: what an interpreter runs
// first, then the executable itself.
func (m *Mapper) name(ctx context.Context, s *subject, t *trace) procmon.Application {
	view := m.files.view()
	l := &lookup{catalog: m.catalog, files: view, dpkg: m.dpkg, rpm: m.rpm, trees: m.trees, uid: s.uid, env: &s.env, foreign: s.foreign, trace: t, replaced: s.deleted}
	app := procmon.Application{Kind: procmon.KindUnknown}
	if s.exe != "" {
		app = l.program(ctx, s)
	}
	l.rest(s, &app)
	s.refused = view.refused
	app.Image = s.image
	app.Rules = m.catalog.version
	return app
}

func (l *lookup) program(ctx context.Context, s *subject) procmon.Application {
	if s.inv.what != runsNothing && s.inv.what != runsCode {
		if f, ok := l.script(ctx, s); ok && !l.same(&f, s.rule.entry) {
			app := l.application(&f, s, l.scriptKind(&f, s))
			app.Script = bounded(s.script, 4096)
			return app
		}
	}
	f, ok := l.file(ctx, s.exe, true)
	if !ok {
		return procmon.Application{Kind: procmon.KindUnknown, Script: bounded(s.script, 4096)}
	}
	if s.deleted && replaceable[f.evidence] {
		f.version, f.pkg = "", ""
	}
	app := l.application(&f, s, l.kind(&f, s))
	app.Script = bounded(s.script, 4096)
	return app
}

// replaceable are the kinds of evidence that tell what is installed now. Of a
// file that was replaced since its execve they know the name and no more the
// version.
var replaceable = map[string]bool{"dpkg": true, "rpm": true, "conda": true, "dist-info": true}

// same says whether a script belongs to the interpreter itself. Shells run
// start scripts of everything, their own package's too.
func (l *lookup) same(f *finding, e *entry) bool {
	return f.entry != nil && e != nil && f.entry.name == e.name
}

// script names what an interpreter runs.
func (l *lookup) script(ctx context.Context, s *subject) (finding, bool) {
	switch s.inv.what {
	case runsFile:
		if s.script == "" {
			return finding{}, false
		}
		return l.file(ctx, s.script, s.rule.kind != procmon.KindShell)
	case runsModule:
		return l.module(ctx, s)
	case runsJar:
		return l.jar(ctx, s.script)
	case runsClass:
		return l.class(ctx, s)
	}
	return finding{}, false
}

// module names a module of python -m: by the distribution that holds it in
// the interpreter's environment, else by the catalogue.
func (l *lookup) module(ctx context.Context, s *subject) (finding, bool) {
	name := s.inv.value
	if f, ok := l.recall(name, moduleLists); ok {
		return l.took(f)
	}
	if l.foreign || s.home == "" || hostPrefix(s.home) || !moduleName(name) {
		return l.pythonModule(name)
	}
	rel := strings.ReplaceAll(name, ".", "/")
	top, _, _ := strings.Cut(rel, "/")
	for _, site := range l.sitesOf(s.home) {
		for _, file := range []string{rel + ".py", rel + "/__main__.py", top + "/__init__.py"} {
			f, ok := l.wheelIn(ctx, site, file)
			if ok {
				return l.took(f)
			}
		}
		if f, ok := l.condaMeta(ctx, site+"/"+top+"/__init__.py"); ok {
			return l.took(f)
		}
	}
	return l.pythonModule(name)
}

// moduleName says whether a dotted name can be made a path.
func moduleName(name string) bool {
	if name == "" || len(name) > 256 || strings.Contains(name, "..") {
		return false
	}
	for _, c := range name {
		if c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name[0] != '.'
}

// jar names a jar: by its tree, by its own name when that is known or carries
// a version, else by its manifest, which also tells a version that the name lacks.
func (l *lookup) jar(ctx context.Context, file string) (finding, bool) {
	name, version := jarNamed(file)
	known := l.catalog.pkg(name)
	f, ok := l.file(ctx, file, false)
	if ok && (f.entry != nil || known == nil) {
		if f.version == "" && f.entry == known {
			f.version = version
		}
		return f, true
	}
	own := finding{name: name, version: version, pkg: path.Base(file), evidence: "jar", entry: known}
	if known != nil && version != "" || strings.Contains(version, ".") && !strings.Contains(file, "-SNAPSHOT") {
		return l.took(own)
	}
	m := l.manifest(file)
	own.version = cmp.Or(version, m.version)
	if known == nil && m.title != "" {
		own.name, own.entry = m.title, l.catalog.pkg(m.title)
	}
	if own.entry == nil && m.version == "" {
		return finding{}, false
	}
	return l.took(own)
}

// class names a Java main class, and looks for its version in the class path.
func (l *lookup) class(ctx context.Context, s *subject) (finding, bool) {
	e := l.catalog.class(s.inv.value)
	if e == nil {
		return l.classPath(ctx, s)
	}
	own := finding{name: e.name, evidence: "class", entry: e}
	for _, file := range s.classFiles() {
		if f, ok := l.file(ctx, file, false); ok && f.entry == e {
			return f, true
		}
		if name, version := jarNamed(file); version != "" && strings.HasSuffix(file, ".jar") && l.catalog.pkg(name) == e {
			own.version, own.pkg = version, path.Base(file)
		}
	}
	return l.took(own)
}

// classPath names a main class that the catalogue does not know by where the
// whole of its class path lies: in one tree, or in one jar.
func (l *lookup) classPath(ctx context.Context, s *subject) (finding, bool) {
	files := s.classFiles()
	if len(files) == 1 && strings.HasSuffix(files[0], ".jar") {
		return l.jar(ctx, files[0])
	}
	var tree finding
	for i, file := range files {
		f, ok := l.path(file)
		if !ok || f.weak || i > 0 && f.root != tree.root {
			return finding{}, false
		}
		tree = f
	}
	if tree.name == "" {
		return finding{}, false
	}
	return l.took(tree)
}

// maxClassFiles is how much of a class path is looked at.
const maxClassFiles = 64

// classFiles are the absolute paths of a class path.
func (s *subject) classFiles() []string {
	var files []string
	for _, dir := range s.inv.classes[:min(len(s.inv.classes), maxClassFiles)] {
		if file := resolve(s.cwd, dir); file != "" {
			files = append(files, file)
		}
	}
	return files
}

// application makes the answer of a finding: the upstream project's name
// where the catalogue knows it, else the package's own.
func (l *lookup) application(f *finding, s *subject, kind procmon.AppKind) procmon.Application {
	app := procmon.Application{Name: f.name, Version: f.version, Kind: kind, Package: f.pkg, Evidence: f.evidence}
	if f.entry != nil {
		app.Name = f.entry.name
	} else if f.kind == "" {
		app.Name = l.catalog.bare(f.name)
	}
	if app.Version == "" && f.entry != nil && s.rule.entry == f.entry {
		app.Version = s.rule.version
	}
	if app.Version == "" && s.image != "" {
		app.Version = l.catalog.imageVersion(s.image, f)
	}
	app.Name, app.Version = bounded(cleanText(app.Name), 128), bounded(cleanText(app.Version), maxVersion)
	app.Package = bounded(cleanText(app.Package), 256)
	if app.Name == "" {
		return procmon.Application{Kind: procmon.KindUnknown}
	}
	return app
}

// cleanText drops control characters and broken UTF-8: directory names are
// their owner's choice.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
}
