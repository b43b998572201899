package appmap

import (
	"path"
	"slices"
	"strings"
)

// invocation is what an interpreter was told to run.
type invocation struct {
	what    what
	value   string   // file, module, class or jar, as it was written
	classes []string // the class path
}

type what uint8

const (
	runsNothing what = iota // interactive, from standard input, or not known
	runsFile
	runsModule
	runsJar
	runsClass
	runsCode // program text on the command line
)

// maxOptions is how many arguments are looked at for the script.
const maxOptions = 256

// invoked takes an interpreter's command line apart as its script table says.
func invoked(s *script, argv []string) invocation {
	var inv invocation
	if len(argv) == 0 {
		return inv
	}
	args := argv[1:min(len(argv), maxOptions)]
	for i := 0; i < len(args); i++ {
		a := args[i]
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch {
		case a == "--":
			return inv.main(s, next)
		case a == "-" || a == "":
			return inv
		case a[0] != '-' && a[0] != '+':
			return inv.main(s, a)
		}
		done, skip := inv.option(s, a, next)
		if done {
			return inv
		}
		if skip {
			i++
		}
	}
	return inv
}

func (inv invocation) main(s *script, arg string) invocation {
	switch {
	case arg == "" || s.Main == "none":
	case s.Main == "class":
		inv.what, inv.value = runsClass, arg
	default:
		inv.what, inv.value = runsFile, arg
	}
	return inv
}

// option reads one option; done says that it told what is run, skip that the
// next argument is its value.
func (inv *invocation) option(s *script, a, next string) (done, skip bool) {
	name, joined, has := strings.Cut(a, "=")
	value := next
	if has {
		value = joined
	}
	set := func(w what) (bool, bool) {
		inv.what, inv.value = w, value
		return true, false
	}
	switch {
	case slices.Contains(s.Code, name) || cluster(s.Code, a):
		inv.what = runsCode
		return true, false
	case slices.Contains(s.Modules, name) || cluster(s.Modules, a):
		return set(runsModule)
	case slices.Contains(s.Files, name):
		return set(runsFile)
	case slices.Contains(s.Jars, name):
		return set(runsJar)
	case slices.Contains(s.Paths, name):
		inv.classes = strings.SplitN(value, ":", 1024)
		return false, !has
	case slices.Contains(s.Values, a):
		return false, true
	}
	return false, false
}

// cluster says whether short options written together end in one of list:
// perl -lane TEXT, bash -xc TEXT.
func cluster(list []string, a string) bool {
	if len(a) < 3 || len(a) > 6 || a[0] != '-' || a[1] == '-' {
		return false
	}
	for _, c := range []byte(a[1:]) {
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			return false
		}
	}
	return slices.Contains(list, "-"+a[len(a)-1:])
}

// resolve makes a path on the command line absolute; empty when it can't be.
func resolve(cwd, file string) string {
	if file == "" || strings.HasPrefix(file, "/proc/self/") || strings.HasPrefix(file, "/dev/fd/") {
		return ""
	}
	if !strings.HasPrefix(file, "/") {
		if !strings.HasPrefix(cwd, "/") {
			return ""
		}
		file = cwd + "/" + file
	}
	return path.Clean(file)
}

// jarNamed takes name and version from a jar's file name: "cromwell-84.jar",
// "tool.1.2.jar", "picard.jar".
func jarNamed(file string) (name, version string) {
	stem := strings.TrimSuffix(path.Base(file), ".jar")
	if n, v := splitNameVersion(stem); n != "" {
		return n, v
	}
	if n, rest, ok := strings.Cut(stem, "."); ok && n != "" && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		if v := upstream(rest); v != "" {
			return n, v
		}
	}
	return stem, ""
}
