package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/urfave/cli/v2"
)

// defaultFile is read when no other is named; it may be missing.
const defaultFile = "/etc/procmon/procmond.toml"

// errConfig is the family of errors of configuration.
var errConfig = errors.New("configuration")

// loaded is a configuration, with where each value came from.
type loaded struct {
	*Settings
	origin map[string]string // by key; missing: the default
}

func flagName(key string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

func envName(key string) string {
	return "PROCMON_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// load reads the configuration: flag over environment over file over default.
func load(c *cli.Context, getenv func(string) (string, bool)) (*loaded, error) {
	l := &loaded{Settings: defaults(), origin: map[string]string{}}
	table := l.table()
	path, named := setFlag(c, "config")
	if !named {
		if path, named = getenv("PROCMON_CONFIG"); !named {
			path = defaultFile
		}
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	default:
		if err := l.fromFile(table, path, b); err != nil {
			return nil, err
		}
	}
	for _, s := range table {
		if v, ok := getenv(envName(s.key)); ok {
			if err := s.value.Set(v); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", errConfig, envName(s.key), err)
			}
			l.origin[s.key] = envName(s.key)
		}
		if v, ok := setFlag(c, flagName(s.key)); ok {
			if err := s.value.Set(v); err != nil {
				return nil, fmt.Errorf("%w: --%s: %w", errConfig, flagName(s.key), err)
			}
			l.origin[s.key] = "--" + flagName(s.key)
		}
	}
	return l, nil
}

// setFlag gives a flag's value if it was given, before or behind the command.
func setFlag(c *cli.Context, name string) (string, bool) {
	for _, ctx := range c.Lineage() {
		if slices.Contains(ctx.LocalFlagNames(), name) {
			return fmt.Sprint(ctx.Value(name)), true
		}
	}
	return "", false
}

// fromFile takes the settings of a TOML file.
func (l *loaded) fromFile(table []setting, path string, b []byte) error {
	var any map[string]any
	if err := toml.Unmarshal(b, &any); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, _ := at.Position()
			return fmt.Errorf("%w: %s:%d: %w", errConfig, path, line, err)
		}
		return fmt.Errorf("%w: %s: %w", errConfig, path, err)
	}
	var p unstable.Parser
	p.Reset(b)
	prefix := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			prefix = keyOf(e.Key()) + "."
		case unstable.KeyValue:
			if err := l.fromLine(table, path, &p, prefix+keyOf(e.Key()), e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loaded) fromLine(table []setting, path string, p *unstable.Parser, key string, e *unstable.Node) error {
	it := e.Key()
	it.Next()
	where := fmt.Sprintf("%s:%d", path, p.Shape(p.Range(it.Node().Data)).Start.Line)
	i := slices.IndexFunc(table, func(s setting) bool { return s.key == key })
	if i < 0 {
		return fmt.Errorf("%w: %s: unknown key %q%s", errConfig, where, key, nearest(key, table))
	}
	between := ","
	if list, ok := table[i].value.(interface{ separator() string }); ok {
		between = list.separator()
	}
	v, err := plain(e.Value(), between)
	if err == nil {
		err = table[i].value.Set(v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %s: %w", errConfig, where, key, err)
	}
	l.origin[key] = where
	return nil
}

func keyOf(it unstable.Iterator) string {
	var parts []string
	for it.Next() {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}

// plain is a value as one would write it for a flag, a list with its parts
// joined.
func plain(n *unstable.Node, between string) (string, error) {
	switch n.Kind {
	case unstable.String, unstable.Integer, unstable.Bool:
		return string(n.Data), nil
	case unstable.Array:
		var parts []string
		it := n.Children()
		for it.Next() {
			v, err := plain(it.Node(), between)
			if err != nil {
				return "", err
			}
			parts = append(parts, v)
		}
		return strings.Join(parts, between), nil
	}
	return "", fmt.Errorf("%w: want a string, a whole number, true, false or a list of them", errValue)
}

// nearest suggests the key that was meant, or says where the keys are listed.
func nearest(key string, table []setting) string {
	best, least := "", 4
	for _, s := range table {
		if d := distance(key, s.key); d < least {
			best, least = s.key, d
		}
	}
	if best == "" {
		return `; "procmond config" lists the keys`
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of single edits between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
