package appmap

import (
	"path"
	"regexp"
	"strings"

	"procmon"
)

// entry is one application of the catalogue.
type entry struct {
	name      string
	kind      procmon.AppKind
	script    *script
	trees     []tree
	toolchain bool
	multicall bool
}

// tree is a compiled treeRule.
type tree struct {
	re      *regexp.Regexp
	version string
}

// exeRule ties an executable's name to an application and a kind.
type exeRule struct {
	entry *entry
	kind  procmon.AppKind
	re    *regexp.Regexp // nil: a literal name
	site  bool           // a rule of the site: built-in ones don't make it ambiguous
}

// catalog is all rules, compiled. It is not changed after it was built, but for
// what it remembers.
type catalog struct {
	version  string
	entries  []*entry
	packages map[string]*entry // by folded name
	globs    []pkgGlob
	literals map[string][]exeRule
	patterns []exeRule
	modules  map[string]*entry
	classes  []classRule
	layout   words
	packing  packaging
	sections map[string]bool
	matched  matches
}

type pkgGlob struct {
	pattern string // dashed
	entry   *entry
}

type classRule struct {
	prefix string
	entry  *entry
}

// match is what an executable's name says.
type match struct {
	entry   *entry // nil: several applications have a program of this name
	kind    procmon.AppKind
	version string // from the name itself
}

// fold makes spellings of one name equal: case, dashes, underscores, dots and
// spaces don't count, a plus sign does.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '_', '.', ' ':
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// dashed spells a name for patterns, in which dots and dashes count: python3.*
// is not python3-numpy.
var beforeDigit = regexp.MustCompile(`[-.]([0-9])`)

func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func dashed(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// executable looks a program's base name up: literal names before patterns.
// A name that several applications have tells their common kind only.
func (c *catalog) executable(base string) (match, bool) {
	if r, ok := c.matched.get(base); ok {
		return r.match, r.ok
	}
	m, ok := c.matchName(base)
	c.matched.put(base, matchResult{m, ok})
	return m, ok
}

func (c *catalog) matchName(base string) (match, bool) {
	if rules := c.literals[base]; len(rules) > 0 {
		m := match{entry: rules[0].entry, kind: rules[0].kind}
		for _, r := range rules[1:] {
			if r.entry.name != m.entry.name && r.site == rules[0].site {
				return match{kind: commonKind(rules)}, true
			}
		}
		return m, true
	}
	for _, r := range c.patterns {
		if g := r.re.FindStringSubmatch(base); g != nil {
			m := match{entry: r.entry, kind: r.kind}
			if i := r.re.SubexpIndex("version"); i > 0 {
				m.version = strings.ReplaceAll(g[i], "_", ".")
			}
			return m, true
		}
	}
	return match{}, false
}

// claimant is the one of several applications with a program of this name
// that a directory of its path is called after: /usr/lib64/mpich/bin/mpiexec.
func (c *catalog) claimant(file string) *entry {
	rules := c.literals[path.Base(file)]
	dirs := splitDirs(file)
	for i := len(dirs) - 1; i >= 0; i-- {
		e := c.exactPkg(dirs[i])
		for _, r := range rules {
			if e != nil && r.entry.name == e.name {
				return e
			}
		}
	}
	return nil
}

func commonKind(rules []exeRule) procmon.AppKind {
	for _, r := range rules[1:] {
		if r.kind != rules[0].kind {
			return ""
		}
	}
	return rules[0].kind
}

// kindIn is the kind that entry e itself gives to a program of this name.
func (c *catalog) kindIn(e *entry, base string) procmon.AppKind {
	for _, r := range c.literals[base] {
		if r.entry.name == e.name {
			return r.kind
		}
	}
	for _, r := range c.patterns {
		if r.entry.name == e.name && r.re.MatchString(base) {
			return r.kind
		}
	}
	return ""
}

// pkg looks a package's name up: as it is, without the prefix of its
// language, and without the suffix of a split package.
func (c *catalog) pkg(name string) *entry {
	if name == "" {
		return nil
	}
	if e := c.exactPkg(name); e != nil {
		return e
	}
	for _, list := range [][]string{c.packing.Languages, c.packing.Prefixes} {
		for _, p := range list {
			if rest, ok := strings.CutPrefix(name, p); ok && rest != "" && c.exactPkg(rest) != nil {
				return c.exactPkg(rest)
			}
		}
	}
	for _, s := range c.packing.Suffixes {
		if rest, ok := strings.CutSuffix(name, s); ok && rest != "" {
			if e := c.exactPkg(rest); e != nil {
				return e
			}
		}
	}
	return nil
}

// bare takes the packager's language prefix off a name: what Spack calls
// py-deeptools is deeptools upstream.
func (c *catalog) bare(name string) string {
	for _, p := range c.packing.Languages {
		if rest, ok := strings.CutPrefix(name, p); ok && len(rest) > 1 {
			return rest
		}
	}
	return name
}

func (c *catalog) exactPkg(name string) *entry {
	key := fold(name)
	if e := c.packages[key]; e != nil {
		return e
	}
	name = dashed(name)
	joined := beforeDigit.ReplaceAllString(name, "$1")
	for _, g := range c.globs {
		if glob(g.pattern, name) || joined != name && glob(g.pattern, joined) {
			return g.entry
		}
	}
	return nil
}

// class looks a Java main class up by the longest listed prefix.
func (c *catalog) class(name string) *entry {
	best := classRule{}
	for _, r := range c.classes {
		if len(r.prefix) > len(best.prefix) && (name == r.prefix || strings.HasPrefix(name, r.prefix+".")) {
			best = r
		}
	}
	return best.entry
}
