package appmap

import (
	"path"
	"slices"
	"strings"

	"procmon"
)

// kind is the role of an executable: what its application says of a program
// of this name, what any application says (a shell is a shell in every
// tree), what the application is, what the distribution's section says.
func (l *lookup) kind(f *finding, s *subject) procmon.AppKind {
	name := path.Base(s.exe)
	if s.rule.entry != nil && s.rule.entry.multicall {
		return l.toolKind(s.tool)
	}
	if f.entry != nil {
		if k := l.catalog.kindIn(f.entry, name); k != "" {
			return k
		}
	}
	switch s.rule.kind {
	case procmon.KindLauncher, procmon.KindShell, procmon.KindInterpreter:
		return s.rule.kind
	case procmon.KindCompiler, procmon.KindSystem:
		if f.evidence == "names" || f.section != "" {
			return s.rule.kind
		}
	}
	if f.entry != nil {
		return f.entry.kind
	}
	if l.system(f) {
		return procmon.KindSystem
	}
	return procmon.KindApplication
}

// toolKind is the kind of a multi-call binary's tool.
func (l *lookup) toolKind(tool string) procmon.AppKind {
	if m, ok := l.catalog.executable(tool); ok && m.kind == procmon.KindShell {
		return procmon.KindShell
	}
	return procmon.KindSystem
}

// system says whether the distribution's package is one of its own tools.
func (l *lookup) system(f *finding) bool {
	if f.kind != "" { // its section is not recorded
		return f.kind == procmon.KindSystem
	}
	if f.evidence != "dpkg" && f.evidence != "rpm" {
		return false
	}
	return l.catalog.sections[f.section] || slices.Contains(l.catalog.packing.SystemPriorities, f.priority)
}

// scriptKind is the role of a script that belongs to a package: script, but a
// jar is an application, and a launcher written as a script is a launcher.
func (l *lookup) scriptKind(f *finding, s *subject) procmon.AppKind {
	if f.entry != nil {
		name := strings.TrimSuffix(path.Base(s.script), path.Ext(s.script))
		switch k := l.catalog.kindIn(f.entry, name); k {
		case procmon.KindLauncher, procmon.KindSystem:
			return k
		}
		if k := f.entry.kind; k == procmon.KindLauncher || k == procmon.KindSystem {
			return k
		}
	}
	if l.system(f) {
		return procmon.KindSystem
	}
	if s.inv.what == runsJar || s.inv.what == runsClass {
		return procmon.KindApplication
	}
	return procmon.KindScript
}
