package appmap

import (
	"fmt"
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

// catalog is all rules, compiled. It is not changed after it was built.
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
}

type pkgGlob struct {
	pattern string // folded
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

// buildCatalog compiles rule files; earlier ones win over later ones.
func buildCatalog(files []source) (*catalog, error) {
	c := &catalog{
		version:  rulesVersion(files),
		packages: map[string]*entry{},
		literals: map[string][]exeRule{},
		modules:  map[string]*entry{},
		sections: map[string]bool{},
	}
	var all layout
	for _, src := range files {
		f, err := parseRules(src)
		if err != nil {
			return nil, err
		}
		for i := range f.Applications {
			if err := c.add(&f.Applications[i], src.site); err != nil {
				return nil, fmt.Errorf("%w: %s:%d: %w", ErrCatalog, src.name, ruleLine(src.data, i), err)
			}
		}
		all.merge(&f.Layout)
		c.packing.merge(&f.Packages)
	}
	c.layout = all.compile()
	for _, s := range c.packing.SystemSections {
		c.sections[s] = true
	}
	return c, nil
}

// add compiles one rule. What an earlier rule has claimed stays with it.
func (c *catalog) add(r *appRule, site bool) error {
	if strings.TrimSpace(r.Name) == "" {
		return fmt.Errorf("an application needs a name")
	}
	e, err := c.entryFor(r)
	if err != nil {
		return err
	}
	for _, p := range append([]string{r.Name}, r.Packages...) {
		c.addPackage(p, e)
	}
	for _, m := range r.Modules {
		if _, taken := c.modules[m]; !taken {
			c.modules[m] = e
		}
	}
	for _, class := range r.Classes {
		c.classes = append(c.classes, classRule{class, e})
	}
	return c.addExecutables(r, e, site)
}

func (c *catalog) entryFor(r *appRule) (*entry, error) {
	kind := r.Kind
	if kind == "" {
		kind = procmon.KindApplication
	}
	if !knownKind(kind) {
		return nil, fmt.Errorf("application %q: unknown kind %q, use one of %v", r.Name, r.Kind, procmon.AppKinds)
	}
	e := &entry{name: r.Name, kind: kind, script: r.Script, toolchain: r.Toolchain, multicall: r.Multicall}
	for _, t := range r.Trees {
		re, err := regexp.Compile(`(?:^|/)` + t.Path + `(?:/|$)`)
		if err != nil {
			return nil, fmt.Errorf("application %q: tree %q: %w", r.Name, t.Path, err)
		}
		e.trees = append(e.trees, tree{re, t.Version})
	}
	if s := e.script; s != nil && s.Main != "" && s.Main != "file" && s.Main != "class" && s.Main != "none" {
		return nil, fmt.Errorf("application %q: script.main is %q, use file, class or none", r.Name, s.Main)
	}
	c.entries = append(c.entries, e)
	return e, nil
}

func knownKind(k procmon.AppKind) bool {
	for _, known := range procmon.AppKinds {
		if k == known {
			return true
		}
	}
	return false
}

func (c *catalog) addPackage(name string, e *entry) {
	key := fold(name)
	if strings.ContainsAny(key, "*?[") {
		c.globs = append(c.globs, pkgGlob{key, e})
		return
	}
	if _, taken := c.packages[key]; !taken {
		c.packages[key] = e
	}
}

func (c *catalog) addExecutables(r *appRule, e *entry, site bool) error {
	lists := []struct {
		kind  procmon.AppKind
		names []string
	}{
		{e.kind, r.Executables},
		{procmon.KindLauncher, r.Launchers},
		{procmon.KindCompiler, r.Compilers},
		{procmon.KindInterpreter, r.Interpreters},
		{procmon.KindShell, r.Shells},
		{procmon.KindSystem, r.System},
	}
	for _, l := range lists {
		for _, name := range l.names {
			rule := exeRule{entry: e, kind: l.kind, site: site}
			if !strings.ContainsAny(name, "*?[{") {
				c.literals[name] = append(c.literals[name], rule)
				continue
			}
			re, err := namePattern(name)
			if err != nil {
				return fmt.Errorf("application %q: executable %q: %w", r.Name, name, err)
			}
			rule.re = re
			c.patterns = append(c.patterns, rule)
		}
	}
	return nil
}

// namePattern compiles a glob in which {version} stands for a version.
func namePattern(glob string) (*regexp.Regexp, error) {
	if _, err := path.Match(strings.ReplaceAll(glob, "{version}", ""), "x"); err != nil {
		return nil, err
	}
	q := regexp.QuoteMeta(glob)
	q = strings.ReplaceAll(q, `\{version\}`, `(?P<version>[0-9]+(?:[._][0-9]+)*[a-z]?)`)
	q = strings.ReplaceAll(q, `\*`, `.*`)
	q = strings.ReplaceAll(q, `\?`, `.`)
	q = strings.ReplaceAll(q, `\[`, `[`)
	q = strings.ReplaceAll(q, `\]`, `]`)
	return regexp.Compile(`^(?:` + q + `)$`)
}

// executable looks a program's base name up: literal names before patterns.
// A name that several applications have tells their common kind only.
func (c *catalog) executable(base string) (match, bool) {
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
	for _, g := range c.globs {
		if ok, err := path.Match(g.pattern, key); ok && err == nil {
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
