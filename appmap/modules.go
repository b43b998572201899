package appmap

import (
	"strings"
)

// environ are the wanted variables of a process.
type environ struct {
	names, values []string
}

func (e *environ) get(name string) string {
	for i, n := range e.names {
		if n == name {
			return e.values[i]
		}
	}
	return ""
}

// module names a file by a loaded module, and only when the file lies in that
// module's tree: EBROOT<NAME> gives the tree of an EasyBuild module;
// LOADEDMODULES gives <name>/<version>, which must stand in the path as it is
// loaded, and where it does not tell both, the path of the module's file in
// _LMFILES_ does. The innermost tree wins.
func (c *catalog) module(file string, env *environ) (finding, bool) {
	best := finding{}
	for i, name := range env.names {
		key, ok := strings.CutPrefix(name, "EBROOT")
		root := strings.TrimRight(env.values[i], "/")
		if !ok || key == "" || len(root) <= len(best.root) || !below(file, root) {
			continue
		}
		dirs := strings.Split(strings.Trim(root, "/"), "/")
		if len(dirs) < 2 {
			continue
		}
		n := len(dirs)
		best = finding{name: dirs[n-2], version: env.get("EBVERSION" + key), pkg: dirs[n-2] + "/" + dirs[n-1], evidence: "easybuild", root: root}
		if best.version == "" || !strings.HasPrefix(dirs[n-1], best.version) {
			best.version = upstream(dirs[n-1])
		}
	}
	for _, m := range append(loaded(env), c.moduleFiles(file, env)...) {
		if f, ok := c.moduleTree(file, m); ok && len(f.root) > len(best.root) {
			best = f
		}
	}
	if best.root == "" {
		return finding{}, false
	}
	best.entry = c.pkg(best.name)
	return best, true
}

// moduleTree looks for a loaded module's <name>/<version> or
// <name>-<version> among the directories of a file. Compilers and MPIs may
// stand between: <name>/gnu12/mpich/<version>.
func (c *catalog) moduleTree(file, module string) (finding, bool) {
	parts := strings.Split(module, "/")
	n := len(parts)
	if n < 2 || parts[n-2] == "" || upstream(parts[n-1]) == "" {
		return finding{}, false
	}
	name, version := parts[n-2], parts[n-1]
	for _, dir := range []string{name + "/" + version, name + "-" + version} {
		i := strings.LastIndex(file, "/"+dir+"/")
		if i < 0 {
			continue
		}
		return finding{
			name: name, version: upstream(version), pkg: module, evidence: "module",
			root: file[:i+1+len(dir)],
		}, true
	}
	dirs := splitDirs(file)
	for i := len(dirs) - 1; i > 1; i-- {
		if dirs[i] != version {
			continue
		}
		j := i - 1
		for e := c.exactPkg(dirs[j]); j > 0 && dirs[j] != name && (e != nil && e.toolchain || c.layout.level(dirs[j])); e = c.exactPkg(dirs[j]) {
			j--
		}
		if dirs[j] == name {
			return finding{name: name, version: upstream(version), pkg: module, evidence: "module", root: joinDirs(dirs[:i+1])}, true
		}
	}
	return finding{}, false
}

// loaded lists the loaded modules, at most 256.
func loaded(env *environ) []string { return colons(env.get("LOADEDMODULES")) }

func colons(v string) []string {
	if v == "" {
		return nil
	}
	list := strings.SplitN(v, ":", 257)
	return list[:min(len(list), 256)]
}

// moduleFiles tells <name>/<version> of loaded modules by where their files
// lie: <name>/modulefiles/<version>.lua, or in the module's own tree, which
// must hold file: <name>/<version>/modulefile.
func (c *catalog) moduleFiles(file string, env *environ) []string {
	var found []string
	for _, path := range colons(env.get("_LMFILES_")) {
		dirs := strings.Split(strings.Trim(strings.TrimSuffix(path, ".lua"), "/"), "/")
		i := len(dirs) - 1
		if i > 1 && upstream(dirs[i]) == "" {
			if i--; dirs[i] == "modulefiles" {
				i--
			}
			if !below(file, joinDirs(dirs[:i+1])) {
				continue
			}
		}
		if name, version := splitNameVersion(dirs[i]); name != "" {
			found = append(found, name+"/"+version)
			continue
		}
		version := dirs[i]
		for i--; i >= 0 && (c.layout.nameless(dirs[i]) || c.layout.level(dirs[i])); i-- {
		}
		if i >= 0 {
			found = append(found, dirs[i]+"/"+version)
		}
	}
	return found
}

// below says whether file lies in the tree of root.
func below(file, root string) bool {
	return len(root) > 1 && len(file) > len(root) && file[len(root)] == '/' && file[:len(root)] == root
}
