package appmap

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"procmon"
)

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
	if strings.ContainsAny(name, "*?[") {
		c.globs = append(c.globs, pkgGlob{dashed(name), e})
		return
	}
	key := fold(name)
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
