package appmap

import (
	"path"
	"regexp"
	"strings"

	"procmon"
)

// finding is what one piece of evidence says of a file.
type finding struct {
	name, version string
	pkg           string // with all suffixes
	evidence      string
	entry         *entry // of the catalogue; nil: not in it
	section       string // of the distribution's package
	priority      string // of the distribution's package
	root          string // of the tree, "" when unknown
	weak          bool   // a well-known executable name is better
	glued         bool   // name and version were one word: a vendor's tree is better

	kind procmon.AppKind // the role that was recorded with it; empty: it was found just now
}

var (
	nixItem   = regexp.MustCompile(`^/(nix|gnu)/store/[0-9a-z]{32}-([^/]+)/`)
	spackItem = regexp.MustCompile(`^(?:spack-stage-)?([A-Za-z0-9][A-Za-z0-9_.+-]*?)-([0-9][^/]*|develop|main|master|latest)-([a-z2-7]{32})$`)
	spackCut  = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.+-]*?)-([0-9][^/]*)-([a-z2-7]{7})$`)
	nixScript = regexp.MustCompile(`^(?:python[0-9.]+|perl[0-9.]+|ruby[0-9.]+|r)-([A-Za-z].*)$`)
)

// store names items of the Nix and Guix stores:
// /nix/store/<32 characters>-<name>-<version>[-<output>]/…. Items without a
// version may be collections ("profile", "source"), which name nothing.
func (c *catalog) store(file string) (finding, bool) {
	g := nixItem.FindStringSubmatch(file)
	if g == nil {
		return finding{}, false
	}
	f := finding{pkg: g[2], evidence: "nix"}
	if g[1] == "gnu" {
		f.evidence = "guix"
	}
	item := nixScript.ReplaceAllString(g[2], "$1")
	f.name, f.version = splitNameVersion(item)
	if f.name == "" {
		f.name = item
	}
	f.entry = c.pkg(f.name)
	return f, f.version != "" || f.entry != nil || related(f.name, path.Base(file))
}

// spackPath names <name>-<version>-<hash> directories, of old and new trees.
// A hash cut to seven digits counts only below a directory of Spack's.
func (c *catalog) spackPath(file string) (finding, bool) {
	dirs := splitDirs(file)
	for i := len(dirs) - 1; i >= 0; i-- {
		g := spackItem.FindStringSubmatch(dirs[i])
		if g == nil && strings.Contains(file, "/spack/") {
			g = spackCut.FindStringSubmatch(dirs[i])
		}
		if g == nil {
			continue
		}
		f := finding{name: g[1], version: g[2], pkg: dirs[i], evidence: "spack", root: joinDirs(dirs[:i+1])}
		f.entry = c.pkg(f.name)
		return f, true
	}
	return finding{}, false
}

// vendor matches the trees of the catalogue; the innermost match wins.
func (c *catalog) vendor(file string) (finding, bool) {
	dir := path.Dir(file) + "/"
	best, bestEnd := finding{}, -1
	for _, e := range c.entries {
		for _, t := range e.trees {
			all := t.re.FindAllStringSubmatchIndex(dir, -1)
			if len(all) == 0 {
				continue
			}
			last := all[len(all)-1]
			if last[1] <= bestEnd {
				continue
			}
			version, ok := t.expand(dir, last)
			if !ok {
				continue
			}
			pkg := strings.Trim(dir[last[0]:last[1]], "/")
			best = finding{name: e.name, version: version, pkg: pkg, evidence: "layout", entry: e, root: strings.TrimSuffix(dir[:last[1]], "/")}
			bestEnd = last[1]
		}
	}
	return best, bestEnd >= 0
}

// expand makes the version of a match: from the template, or from the groups
// joined by dots. A tree without groups gives none.
func (t *tree) expand(s string, m []int) (string, bool) {
	if t.version != "" {
		return string(t.re.ExpandString(nil, t.version, s, m)), true
	}
	var parts []string
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 && m[i] < m[i+1] {
			parts = append(parts, s[m[i]:m[i+1]])
		}
	}
	if len(parts) == 0 {
		return "", true
	}
	v := upstream(strings.Join(parts, "."))
	return v, v != ""
}

// plain names <name>/<version> and <name>-<version> trees, EasyBuild's among
// them. The innermost one wins, unless it is a compiler or MPI level inside
// another application's tree.
func (c *catalog) plain(file string, base string) (finding, bool) {
	dirs := splitDirs(file)
	var level *finding
	for i := len(dirs) - 1; i >= 0; i-- {
		f, ok := c.plainAt(dirs, i, base)
		if !ok {
			continue
		}
		if f.entry != nil && f.entry.toolchain && c.kindIn(f.entry, base) == "" {
			if level == nil && c.layout.area(dirs[:i]) == areaSoftware {
				level = &f
			}
			continue
		}
		return f, true
	}
	if level != nil {
		return *level, true
	}
	return finding{}, false
}

// plainAt tests whether the directory at i ends the root of a tree.
func (c *catalog) plainAt(dirs []string, i int, base string) (finding, bool) {
	f := finding{evidence: "layout", root: joinDirs(dirs[:i+1])}
	above := i
	if v := upstream(dirs[i]); v != "" && i > 0 {
		above = c.nameAbove(dirs, i, base)
		f.name, f.version, f.pkg = dirs[above], v, dirs[above]+"/"+dirs[i]
	} else {
		f.name, f.version = splitNameVersion(dirs[i])
		if f.name == "" {
			f.name, f.version = c.glued(dirs, i, base)
			f.glued = f.name != ""
		}
		f.pkg = dirs[i]
		if i > 0 && dirs[i-1] == "share" {
			f.version = condaBuild.ReplaceAllString(f.version, "")
		}
	}
	if f.name == "" || c.layout.nameless(f.name) || c.layout.level(dirs[i]) && c.exactPkg(f.name) == nil {
		return finding{}, false
	}
	if above > 0 && dirs[above-1] == "envs" {
		return finding{}, false // of conda: the name of an environment is its user's choice
	}
	f.entry = c.pkg(f.name)
	f.evidence = treeKind(dirs, i, dirs[i])
	return f, c.trusted(&f, dirs, above, i, base)
}

// condaBuild is the build number in share/<name>-<version>-<build>, where
// packagers of conda put what is no program of the system's.
var condaBuild = regexp.MustCompile(`-[0-9]$`)

var gluedVersion = regexp.MustCompile(`^([A-Za-z][A-Za-z_+-]*?)[.]?v?([0-9]+(?:\.[0-9]+)+|[0-9]{2,8})$`)

// glued parts "vasp.6.3.2" and "vmd193" where the program is one of those that
// the catalogue knows under the name, and "Product8.0" right where a site
// installs software.
func (c *catalog) glued(dirs []string, i int, base string) (name, version string) {
	g := gluedVersion.FindStringSubmatch(dirs[i])
	if g == nil || c.packages[fold(dirs[i])] != nil {
		return "", ""
	}
	e := c.exactPkg(g[1])
	if e != nil && (e.toolchain || e.script != nil) {
		return "", ""
	}
	if e != nil && c.kindIn(e, base) != "" || strings.Contains(g[2], ".") && len(g[1]) > 2 && c.siteTree(dirs, i) {
		return g[1], g[2]
	}
	return "", ""
}

// siteTree says whether the directory at i stands right where a site installs
// software: /opt/<it>, /opt/<vendor>/<it>, …/apps/<it>.
func (c *catalog) siteTree(dirs []string, i int) bool {
	if i == 0 || c.layout.area(dirs[:i]) != areaSoftware {
		return false
	}
	return dirs[0] == "opt" && i <= 2 || c.layout.software[strings.ToLower(dirs[i-1])]
}

// nameAbove finds the name that the version at i is of. Levels are passed
// over, and bare compilers and MPIs too where a name that is borne out stands
// above them: "openmpi4/gcc/4.1.5/bin/mpirun", "hypre/gnu12/mpich/2.18/bin/ij".
func (c *catalog) nameAbove(dirs []string, i int, base string) int {
	near := -1
	for j := i - 1; j >= 0; j-- {
		e := c.exactPkg(dirs[j])
		if e == nil && (c.layout.level(dirs[j]) || upstream(dirs[j]) != "") {
			continue
		}
		borne := e != nil && (!e.toolchain || c.kindIn(e, base) != "") || related(dirs[j], base)
		if near < 0 {
			near = j
		}
		if borne {
			return j
		}
		if e == nil {
			break
		}
	}
	return max(near, 0)
}

// trusted says whether a directory of this place may name an application.
// Where a site installs software any may; where users keep their files it
// must be a name that the catalogue or the executable bears out.
func (c *catalog) trusted(f *finding, dirs []string, above, i int, base string) bool {
	if f.evidence == "easybuild" {
		return true
	}
	next := ""
	if i+1 < len(dirs) {
		next = dirs[i+1]
	}
	installed := next == "" || prefixWords[next] || next == "sbin" || next == "src" || next == "build"
	dotted := strings.ContainsAny(f.version, ".-_")
	own := dotted && related(f.name, base)
	ownWord := c.layout.common[fold(f.name)]
	known := f.entry != nil && (installed && !ownWord || c.kindIn(f.entry, base) != "" || related(f.name, base))
	switch c.layout.area(dirs[:above]) {
	case areaSoftware:
		f.weak = !dotted && f.entry == nil && !related(f.name, base)
		return true
	case areaOwn:
		return known || own || dotted && next == "bin"
	}
	return known || own
}

// bareTree names <software>/<name>/…/<name>: a tree without a version whose
// program is called like it. What a user made is not named so, nor what lies
// beside other programs in a directory of all of them.
func (c *catalog) bareTree(file string) (finding, bool) {
	dirs, base := splitDirs(file), fold(path.Base(file))
	for i := len(dirs) - 1; i > 0; i-- {
		name := dirs[i]
		if fold(name) != base || len(base) < 3 || c.layout.nameless(name) || c.layout.level(name) {
			continue
		}
		if !c.layout.software[strings.ToLower(dirs[i-1])] || c.layout.area(dirs[:i]) != areaSoftware {
			return finding{}, false
		}
		return finding{name: name, pkg: name, evidence: "layout", entry: c.pkg(name), root: joinDirs(dirs[:i+1])}, true
	}
	return finding{}, false
}

// related says whether an executable's name bears a directory's name out.
func related(dir, base string) bool {
	d, b := fold(dir), fold(strings.TrimSuffix(base, path.Ext(base)))
	if len(d) < 3 || len(b) < 3 {
		return d == b
	}
	return strings.HasPrefix(b, d)
}

// toolchains of EasyBuild, as they stand in its version directories.
var toolchains = regexp.MustCompile(`-(GCC|GCCcore|foss|intel|gompi|iimpi|gfbf|fosscuda|gompic|iccifort|intel-compilers|NVHPC|nvompi|gcccuda|gimkl|iomkl|goolf|ictce|cpe[A-Za-z]+|lompi|llvm-compilers|lfoss)-[0-9]`)

// treeKind tells EasyBuild's trees from others, for the record's evidence.
func treeKind(dirs []string, i int, version string) string {
	if toolchains.MatchString(version) {
		return "easybuild"
	}
	for _, d := range dirs[:i] {
		switch strings.ToLower(d) {
		case "easybuild", "eb", "software.eessi.io":
			return "easybuild"
		}
	}
	return "layout"
}

// splitDirs are the directories above a file.
func splitDirs(file string) []string {
	dir := strings.Trim(path.Dir(file), "/")
	if dir == "" || dir == "." {
		return nil
	}
	return strings.Split(dir, "/")
}

func joinDirs(dirs []string) string { return "/" + strings.Join(dirs, "/") }
