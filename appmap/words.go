package appmap

import (
	"path"
	"strings"
)

// words are the words of install paths, ready to look up.
type words struct {
	software, users, noise map[string]bool
	levels                 []string
}

func (l *layout) merge(o *layout) {
	l.Software = append(l.Software, o.Software...)
	l.Users = append(l.Users, o.Users...)
	l.Noise = append(l.Noise, o.Noise...)
	l.Levels = append(l.Levels, o.Levels...)
}

func (p *packaging) merge(o *packaging) {
	p.SystemSections = append(p.SystemSections, o.SystemSections...)
	p.SystemPriorities = append(p.SystemPriorities, o.SystemPriorities...)
	p.Suffixes = append(p.Suffixes, o.Suffixes...)
	p.Prefixes = append(p.Prefixes, o.Prefixes...)
}

func (l *layout) compile() words {
	return words{set(l.Software), set(l.Users), set(l.Noise), l.Levels}
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
	return dir == "" || dir[0] == '.' || w.noise[strings.ToLower(dir)] || w.software[strings.ToLower(dir)] || w.users[strings.ToLower(dir)]
}

// area tells whose the directories below dirs are: the innermost word that
// says so decides.
func (w *words) area(dirs []string) area {
	for i := len(dirs) - 1; i >= 0; i-- {
		d := strings.ToLower(dirs[i])
		if w.software[d] {
			return areaSoftware
		}
		if w.users[d] {
			return areaUser
		}
	}
	return areaUnknown
}

// area is a part of the file tree by who installs there.
type area uint8

const (
	areaUnknown area = iota
	areaSoftware
	areaUser
)
