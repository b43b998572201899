package appmap

import (
	"path"
	"strings"
)

// words are the words of install paths, ready to look up.
type words struct {
	software, users, personal, noise, common map[string]bool
	levels                                   []string
}

func (l *layout) merge(o *layout) {
	l.Software = append(l.Software, o.Software...)
	l.Users = append(l.Users, o.Users...)
	l.Personal = append(l.Personal, o.Personal...)
	l.Noise = append(l.Noise, o.Noise...)
	l.Levels = append(l.Levels, o.Levels...)
	l.Common = append(l.Common, o.Common...)
}

func (p *packaging) merge(o *packaging) {
	p.SystemSections = append(p.SystemSections, o.SystemSections...)
	p.SystemPriorities = append(p.SystemPriorities, o.SystemPriorities...)
	p.Suffixes = append(p.Suffixes, o.Suffixes...)
	p.Languages = append(p.Languages, o.Languages...)
	p.Prefixes = append(p.Prefixes, o.Prefixes...)
}

func (l *layout) compile() words {
	return words{set(l.Software), set(l.Users), set(l.Personal), set(l.Noise), set(l.Common), l.Levels}
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// level says whether a directory names a compiler, an MPI, a CPU or an
// operating system, and so is no application: "gcc12", "linux-x86_64".
func (w *words) level(dir string) bool {
	dir = strings.ToLower(dir)
	for _, pattern := range w.levels {
		if ok, err := path.Match(pattern, dir); ok && err == nil {
			return true
		}
	}
	return false
}

// nameless says whether a directory can't be the name of an application.
func (w *words) nameless(dir string) bool {
	if dir == "" || dir[0] == '.' {
		return true
	}
	dir = strings.ToLower(dir)
	return w.noise[dir] || w.software[dir] || w.users[dir] || w.personal[dir]
}

// area is a part of the file tree by who installs there.
type area uint8

const (
	areaUser     area = iota // somebody's own files, or not known
	areaOwn                  // software that a user installed for himself
	areaSoftware             // software that the site installed
)

// area tells whose the directories below dirs are: the innermost word that
// says so decides, but in a personal directory nothing is the site's.
func (w *words) area(dirs []string) area {
	found := areaUser
	for _, d := range dirs {
		switch d = strings.ToLower(d); {
		case w.personal[d]:
			return w.own(dirs)
		case w.software[d]:
			found = areaSoftware
		case w.users[d]:
			found = areaUser
		}
	}
	return found
}

// own tells software from the rest of a personal directory.
func (w *words) own(dirs []string) area {
	for _, d := range dirs {
		if w.software[strings.ToLower(d)] {
			return areaOwn
		}
	}
	return areaUser
}
