package procfs

import (
	"bytes"
	"strings"
)

// EnvFilter says which environment variables are kept. The zero filter keeps
// none. It is not changed after it was made and may be shared.
type EnvFilter struct {
	keep [256][]envRule // by the first byte of the name
}

type envRule struct {
	name   string
	prefix bool
	drop   bool
}

// Bounds of what is kept of one environment, in bytes.
const (
	maxVariable = 8 << 10
	maxEnviron  = 32 << 10
)

// NewEnvFilter makes a filter of names. "NAME" keeps one variable, "NAME*" all
// that begin so, "-NAME" keeps that one out whatever else says (for secrets).
func NewEnvFilter(names ...string) *EnvFilter {
	f := &EnvFilter{}
	for _, n := range names {
		r := envRule{name: n}
		r.name, r.drop = strings.CutPrefix(r.name, "-")
		r.name, r.prefix = strings.CutSuffix(r.name, "*")
		if r.name == "" {
			continue
		}
		rules := &f.keep[r.name[0]]
		if r.drop {
			*rules = append([]envRule{r}, *rules...) // drops are asked first
		} else {
			*rules = append(*rules, r)
		}
	}
	return f
}

// Keeps says whether a variable, given as NAME=VALUE, is kept.
func (f *EnvFilter) Keeps(v []byte) bool {
	if len(v) == 0 {
		return false
	}
	for _, r := range f.keep[v[0]] {
		n := len(r.name)
		if len(v) <= n || string(v[:n]) != r.name {
			continue
		}
		if v[n] == '=' || (r.prefix && bytes.IndexByte(v[n:], '=') >= 0) {
			return !r.drop
		}
	}
	return false
}

// envCut filters an environment that comes in pieces.
type envCut struct {
	filter *EnvFilter
	kept   []byte
	skip   bool // inside a variable that was too long for the buffer
}

// feed takes a piece and says how many bytes of it were used; the rest, a
// variable not yet whole, must be fed again with more behind it.
func (c *envCut) feed(b []byte, last bool) int {
	used := 0
	for used < len(b) {
		end := bytes.IndexByte(b[used:], 0)
		if end < 0 {
			if !last {
				return used
			}
			end = len(b) - used
		}
		v := b[used : used+end]
		used = min(len(b), used+end+1)
		if c.skip {
			c.skip = false
			continue
		}
		c.add(v)
	}
	return used
}

func (c *envCut) add(v []byte) {
	if !c.filter.Keeps(v) {
		return
	}
	if len(v) > maxVariable {
		v = v[:maxVariable]
	}
	if len(c.kept)+len(v)+1 > maxEnviron {
		return
	}
	c.kept = append(append(c.kept, v...), 0)
}

// Filter cuts a whole environment to what is kept.
func (f *EnvFilter) Filter(env []byte) []byte {
	c := envCut{filter: f}
	c.feed(env, true)
	return c.kept
}
