package appmap

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"procmon"
)

// ErrCatalog is wrapped by every error about a rule file; its text tells the
// file and, where there is one, the line.
var ErrCatalog = errors.New("bad application rules")

//go:embed catalog/*.toml
var builtin embed.FS

// maxRules bounds one rule file.
const maxRules = 1 << 20

// ruleFile is one file of rules as it is written.
type ruleFile struct {
	Applications []appRule `toml:"application"`
	Layout       layout    `toml:"layout"`
	Packages     packaging `toml:"packages"`
}

// appRule is one [[application]] table.
type appRule struct {
	Name     string          `toml:"name"`
	Kind     procmon.AppKind `toml:"kind"`
	Packages []string        `toml:"packages"`

	Executables  []string `toml:"executables"`
	Launchers    []string `toml:"launchers"`
	Compilers    []string `toml:"compilers"`
	Interpreters []string `toml:"interpreters"`
	Shells       []string `toml:"shells"`
	System       []string `toml:"system"`

	Modules   []string   `toml:"modules"` // Python modules for python -m
	Classes   []string   `toml:"classes"` // Java main classes
	Trees     []treeRule `toml:"trees"`
	Script    *script    `toml:"script"`
	Toolchain bool       `toml:"toolchain"` // its name is often a level of other applications' trees
	Multicall bool       `toml:"multicall"` // argv[0] says which tool it is
}

// treeRule is a regular expression over whole path components; its groups
// make the version.
type treeRule struct {
	Path    string `toml:"path"`
	Version string `toml:"version"` // template ("20$1 R$2"); empty: groups joined by dots
}

// script says how an interpreter's command line names what it runs.
type script struct {
	Values  []string `toml:"values"`  // options that take the next argument
	Code    []string `toml:"code"`    // options whose argument is program text
	Modules []string `toml:"modules"` // options whose argument is a module
	Files   []string `toml:"files"`   // options whose argument is the script
	Jars    []string `toml:"jars"`    // options whose argument is a jar
	Paths   []string `toml:"paths"`   // options whose argument is a class path
	Main    string   `toml:"main"`    // what the first plain argument is: "file" (the default), "class", "none"
}

// layout are words that install paths are made of.
type layout struct {
	Software []string `toml:"software"` // directories that hold trees of software
	Personal []string `toml:"personal"` // directories that hold one user's files
	Users    []string `toml:"users"`    // directories that hold projects' files
	Noise    []string `toml:"noise"`    // never the name of an application
	Common   []string `toml:"common"`   // names of packages that users also give to directories of their own
	Levels   []string `toml:"levels"`   // compiler, MPI and CPU levels between name and version
}

// packaging are words of package databases.
type packaging struct {
	SystemSections   []string `toml:"system_sections"`
	SystemPriorities []string `toml:"system_priorities"`
	Suffixes         []string `toml:"suffixes"`  // split packages: "gromacs-mpich" is of gromacs
	Languages        []string `toml:"languages"` // what a language puts before a name: "py-", "r-cran-"
	Prefixes         []string `toml:"prefixes"`  // what a vendor puts before a name
}

// source is one rule file that was read.
type source struct {
	name string
	data []byte
	site bool
}

// loadCatalog reads the site's rules, then the embedded ones.
func loadCatalog(dir string) (*catalog, error) {
	site, err := siteRules(dir)
	if err != nil {
		return nil, err
	}
	own, err := builtinRules()
	if err != nil {
		return nil, err
	}
	return buildCatalog(append(site, own...))
}

// siteRules reads *.toml of a directory in the order of their names. A
// directory that does not exist holds no rules.
func siteRules(dir string) ([]source, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
	}
	var files []source
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".toml") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		info, err := os.Stat(name)
		if err == nil && (!info.Mode().IsRegular() || info.Size() > maxRules) {
			err = fmt.Errorf("%s: not a regular file of at most %d bytes", name, maxRules)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
		}
		files = append(files, source{name, data, true})
	}
	return files, nil
}

func builtinRules() ([]source, error) {
	names, err := fs.Glob(builtin, "catalog/*.toml")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
	}
	sort.Strings(names)
	files := make([]source, 0, len(names))
	for _, name := range names {
		data, err := builtin.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
		}
		files = append(files, source{name, data, false})
	}
	return files, nil
}

// parseRules reads one rule file, strictly.
func parseRules(src source) (*ruleFile, error) {
	var f ruleFile
	dec := toml.NewDecoder(bytes.NewReader(src.data))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if err == nil {
		return &f, nil
	}
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		key := strings.Join(strict.Errors[0].Key(), ".")
		return nil, fmt.Errorf("%w: %s:%d: unknown key %q", ErrCatalog, src.name, row, key)
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, _ := at.Position()
		return nil, fmt.Errorf("%w: %s:%d: %s", ErrCatalog, src.name, row, at.Error())
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrCatalog, src.name, err)
}

// ruleLine finds the line of the n-th [[application]] header, for messages.
func ruleLine(data []byte, n int) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[[application]]")) {
			if n == 0 {
				return i + 1
			}
			n--
		}
	}
	return 1
}

// rulesVersion names the rules in force: a change of any file changes it.
func rulesVersion(files []source) string {
	h := sha256.New()
	for _, f := range files {
		h.Write([]byte(f.name))
		h.Write([]byte{0})
		h.Write(f.data)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}
