package appmap

import (
	"context"
	"path"
	"slices"
	"strings"

	"procmon"
)

// Rules name programs again from what was recorded of them. They open no file
// but the site's own rules, once: recorded paths may be another machine's.
type Rules struct{ catalog *catalog }

// LoadRules reads the site's rules in dir and the built-in ones, as New does.
func LoadRules(dir string) (*Rules, error) {
	c, err := loadCatalog(dir)
	if err != nil {
		return nil, err
	}
	return &Rules{c}, nil
}

// Evidence that only reading files can tell, in the order of its strength
// after the path's: what lists a file beats its path, but a path that a rule
// knows beats Python's metadata.
var (
	listing     = []string{"dpkg", "rpm", "spack", "conda", "note", "easybuild"}
	wheels      = []string{"dist-info"}
	moduleLists = []string{"dist-info", "conda"}
	// derived evidence can be found again in what is recorded.
	derived = []string{"", "nix", "guix", "module", "layout", "jar", "class", "names"}
)

// recorded is an answer that was given, and the file or module it speaks of.
type recorded struct {
	of  string
	app procmon.Application
}

// Rename gives today's answer for a program of which exe and the answer that
// it once got are known. What a path or a name told is told anew. What was read
// from files (package metadata) is taken as recorded, at its place among
// the evidence, and only its spelling and kind follow the rules. An answer that
// rests on what was not recorded stays as it is.
func (r *Rules) Rename(exe string, was procmon.Application) procmon.Application {
	file := strings.TrimSuffix(exe, " (deleted)")
	if !slices.Contains(slices.Concat(derived, listing, wheels), was.Evidence) || (was.Evidence == "") != (cleanText(was.Name) == "") || loader(file) {
		return was
	}
	s := r.subject(exe, &was)
	if s.inv.what == runsClass && r.catalog.class(was.Script) == nil && was.Kind == procmon.KindApplication {
		return was // its class path told the name
	}
	l := &lookup{catalog: r.catalog, env: &s.env, foreign: true, recorded: &recorded{about(s, &was), was}}
	l.environment(s, &was)
	app := procmon.Application{Kind: procmon.KindUnknown}
	if s.exe != "" {
		app = l.program(context.Background(), s)
	}
	app.Script, app.Image, app.Rules = was.Script, was.Image, r.catalog.version
	switch same := app.Name == was.Name; {
	case same && s.inv.what == runsClass && app.Version == "" && was.Version != "":
		return was // the class path told more
	case same && s.rule.entry != nil && s.rule.entry.multicall:
		app.Kind = was.Kind // the name it was called by told the tool
	}
	return app
}

// loader says whether a file is a dynamic loader: the program was an argument.
func loader(file string) bool {
	b := path.Base(file)
	return strings.HasPrefix(b, "ld-") && strings.Contains(b, ".so")
}

// subject makes a subject of what is recorded.
func (r *Rules) subject(exe string, was *procmon.Application) *subject {
	s := newSubject(r.catalog, &procmon.Process{Exe: exe}, 0)
	s.image, s.script = was.Image, was.Script
	e := s.rule.entry
	if was.Script == "" || e == nil || e.script == nil || !runs(s.rule.kind) {
		return s
	}
	s.inv.value = was.Script
	switch absolute, class := strings.HasPrefix(was.Script, "/"), e.script.Main == "class"; {
	case absolute && class:
		s.inv.what = runsJar
	case absolute:
		s.inv.what = runsFile
	case class:
		s.inv.what = runsClass
	case len(e.script.Modules) > 0:
		s.inv.what = runsModule
	}
	return s
}

// about is what an answer speaks of: the script, or the program that ran it.
func about(s *subject, was *procmon.Application) string {
	if was.Script != "" && was.Kind != procmon.KindInterpreter && was.Kind != procmon.KindShell {
		return was.Script
	}
	return s.exe
}

// environment gives a module back to the environment that named a program by
// it. EasyBuild's root of a tree is only needed where the path alone does not
// tell the same.
func (l *lookup) environment(s *subject, was *procmon.Application) {
	set := func(name, value string) {
		s.env.names, s.env.values = append(s.env.names, name), append(s.env.values, value)
	}
	of := l.recorded.of
	switch was.Evidence {
	case "module":
		set("LOADEDMODULES", was.Package)
	case "easybuild":
		p, ok := l.catalog.plain(of, path.Base(of))
		i := strings.LastIndex(of, "/"+was.Package+"/")
		if ok && p.evidence == was.Evidence && p.pkg == was.Package {
			l.recorded = nil
		} else if i >= 0 && was.Package != "" {
			l.recorded = nil
			set("EBROOTRECORDED", of[:i+1+len(was.Package)])
			set("EBVERSIONRECORDED", was.Version)
		}
	}
}

// recall takes recorded evidence of one of some kinds as if it were read again.
func (l *lookup) recall(of string, evidence []string) (finding, bool) {
	r := l.recorded
	if r == nil || r.of != of || !slices.Contains(evidence, r.app.Evidence) {
		return finding{}, false
	}
	a := &r.app
	f := finding{name: a.Name, version: a.Version, pkg: a.Package, evidence: a.Evidence, kind: a.Kind}
	name := packageName(a)
	switch a.Evidence {
	case "dpkg", "rpm":
		f.section = "recorded"
		f.entry = l.packageEntry(name, a.Name, of)
	default:
		f.entry = l.catalog.pkg(name)
		if f.entry == nil && l.catalog.bare(name) != a.Name {
			f.entry = l.catalog.exactPkg(a.Name) // the catalogue's own spelling
		}
	}
	return f, true
}

// packageName takes the package's name from its recorded string: "name
// version" of dpkg and of notes, name-version-release of rpm and conda,
// name-version… of others.
func packageName(a *procmon.Application) string {
	name, fields := a.Package, 1
	switch a.Evidence {
	case "dpkg", "note":
		name, _, _ = strings.Cut(name, " ")
		return name
	case "rpm", "conda":
		fields = 2
	case "spack", "easybuild":
		if i := strings.LastIndex(name, "-"+a.Version); i > 0 && a.Version != "" {
			return name[:i]
		}
	}
	for range fields {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
	}
	return name
}
