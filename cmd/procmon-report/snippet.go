package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"procmon/report"
)

// snippet is a rule for programs of one name, with the application's name left
// to fill in.
type snippet struct {
	base  string
	files []string // the most CPU time first
	runs  int64
	cpu   float64
}

// snippetsOf makes a rule for each name among a table's executables, in the
// order of the table.
func snippetsOf(t *report.Table) []*snippet {
	var all []*snippet
	column := func(name string) int {
		return slices.IndexFunc(t.Columns, func(c report.Column) bool { return c.Name == name })
	}
	exe, runs, cpu := column(string(report.Executable)), column("runs"), column("cpu_seconds")
	for _, row := range t.Rows {
		file, _ := row[exe].(string)
		base := path.Base(strings.TrimSuffix(file, " (deleted)"))
		if !strings.HasPrefix(file, "/") || strings.HasPrefix(file, "/memfd:") || path.Dir(file) == "/" {
			continue // no file that a rule could name
		}
		key := base
		if common(base) {
			key = file
		}
		i := slices.IndexFunc(all, func(s *snippet) bool { return s.base == key })
		if i < 0 {
			i, all = len(all), append(all, &snippet{base: key})
		}
		n, _ := row[runs].(int64)
		used, _ := row[cpu].(float64)
		all[i].files = append(all[i].files, file)
		all[i].runs += n
		all[i].cpu += used
	}
	return all
}

// common says whether many users' own programs are called so: the directory
// must tell then.
func common(base string) bool {
	name := strings.ToLower(strings.TrimSuffix(base, path.Ext(base)))
	return len(name) < 3 || slices.Contains([]string{
		"main", "test", "run", "prog", "program", "exe", "solve", "solver", "sim", "simulate", "model", "app", "bench",
		"benchmark", "code", "driver", "start", "job", "analyse", "analyze", "analysis", "hello", "mpi", "tmp", "worker", "server", "client",
	}, name)
}

// String is the rule as TOML: by the programs' name, or where that says nothing
// by their directory, which is left to the reader to want.
func (s *snippet) String() string {
	var b strings.Builder
	for _, file := range s.files[:min(3, len(s.files))] {
		fmt.Fprintf(&b, "# %s\n", plain(file))
	}
	if more := len(s.files) - 3; more > 0 {
		fmt.Fprintf(&b, "# and %d more\n", more)
	}
	fmt.Fprintf(&b, "# %s, %s CPU hours\n[[application]]\nname = \"\" # what reports shall show\n",
		plural(int(s.runs), "run"), strconv.FormatFloat(s.cpu/3600, 'f', 2, 64))
	if !strings.HasPrefix(s.base, "/") {
		fmt.Fprintf(&b, "executables = [%s]\n", tomlString(literal(s.base)))
		return b.String()
	}
	dir := strings.TrimPrefix(path.Dir(s.base), "/")
	fmt.Fprintf(&b, "# Many programs are called %s. This would name all that lies below its directory:\n# trees = [{ path = %s }]\n",
		plain(path.Base(s.base)), tomlString(regexp.QuoteMeta(dir)))
	return b.String()
}

// literal keeps characters of a name from being taken for a pattern's.
func literal(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("*?[]{}\\\uFFFD", r) {
			return '?'
		}
		return r
	}, name)
}

// plain is text for a comment.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

// tomlString is a TOML basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r) || r == ' ':
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		case !utf16.IsSurrogate(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
