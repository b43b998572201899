package jobmap

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// ErrPattern is a pattern that can't be used, wrapped with what is wrong.
var ErrPattern = errors.New("bad job pattern")

// Pattern is a site's own cgroup path of a scheduler's jobs, for layouts that
// procmon does not know.
type Pattern struct {
	scheduler int
	path      *regexp.Regexp
	literal   string // what every path begins with

	job, index, step, task, uid int // groups; 0: none
}

// ParsePattern reads SCHEDULER=REGEXP: a scheduler's name and an expression
// (https://go.dev/s/re2syntax) for the paths of its jobs. The expression
// starts with "^/" and at least one literal directory, which root alone can
// make, and names the parts that it finds: (?P<job>…), which must be there,
// and (?P<index>…) of an array, (?P<step>…), (?P<task>…), (?P<uid>…) of the
// job's owner. The error wraps ErrPattern.
func ParsePattern(text string) (Pattern, error) {
	name, expr, ok := strings.Cut(text, "=")
	p := Pattern{scheduler: schedulerIndex(name)}
	switch {
	case !ok:
		return p, fmt.Errorf(`%w %q: want SCHEDULER=REGEXP, such as lsf=^/lsf/[^/]+/job\.(?P<job>[0-9]+)`, ErrPattern, text)
	case p.scheduler < 0:
		return p, fmt.Errorf("%w %q: unknown scheduler %q; want one of %s", ErrPattern, text, name, schedulerNames())
	case !strings.HasPrefix(expr, "^/"):
		return p, fmt.Errorf("%w %q: the expression must start with ^/, or users could make such a path further down", ErrPattern, text)
	}
	var err error
	if p.path, err = regexp.Compile(expr); err != nil {
		return p, fmt.Errorf("%w %q: %w", ErrPattern, text, err)
	}
	p.literal = literalPrefix(expr)
	if strings.Count(p.literal, "/") < 2 {
		return p, fmt.Errorf("%w %q: the expression must begin with the literal name of a directory, such as ^/lsf/", ErrPattern, text)
	}
	return p, p.groups(text)
}

// groups finds the named parts.
func (p *Pattern) groups(text string) error {
	known := map[string]*int{"job": &p.job, "index": &p.index, "step": &p.step, "task": &p.task, "uid": &p.uid}
	for i, name := range p.path.SubexpNames() {
		if i == 0 || name == "" {
			continue
		}
		to, ok := known[name]
		if !ok {
			return fmt.Errorf("%w %q: unknown group (?P<%s>…); want job, index, step, task or uid", ErrPattern, text, name)
		}
		*to = i
	}
	switch sch := &schedulers[p.scheduler]; {
	case p.job == 0:
		return fmt.Errorf("%w %q: no group (?P<job>…) says where the job's id stands", ErrPattern, text)
	case p.index != 0 && sch.indexed[0] == "":
		return fmt.Errorf("%w %q: the ids of %s have no index; leave (?P<index>…) out", ErrPattern, text, sch.name)
	}
	return nil
}

// literalPrefix is the text that all paths begin with that an expression
// anchored by "^" matches.
func literalPrefix(expr string) string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return ""
	}
	re = re.Simplify()
	if re.Op != syntax.OpConcat || len(re.Sub) < 2 || re.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	if l := re.Sub[1]; l.Op == syntax.OpLiteral && l.Flags&syntax.FoldCase == 0 {
		return string(l.Rune)
	}
	return ""
}

// claim is what a path says by the pattern.
func (p *Pattern) claim(path string) (cl claim) {
	if !strings.HasPrefix(path, p.literal) {
		return claim{}
	}
	at := p.path.FindStringSubmatchIndex(path)
	if at == nil {
		return claim{}
	}
	part := func(group int) string {
		if group == 0 || at[2*group] < 0 {
			return ""
		}
		return path[at[2*group]:at[2*group+1]]
	}
	cl.scheduler, cl.rawID = p.scheduler, p.whole(part(p.job), part(p.index))
	if !schedulers[p.scheduler].isID(cl.rawID) {
		return claim{}
	}
	cl.step, cl.task = schedulers[p.scheduler].stepName(part(p.step)), part(p.task)
	if !digits(cl.task) {
		cl.task = ""
	}
	cl.uid, cl.hasUID = parseUID(part(p.uid))
	if p.uid != 0 && !cl.hasUID {
		return claim{}
	}
	return cl
}

// whole puts a job's id and its index together as the scheduler does.
func (p *Pattern) whole(id, index string) string {
	if index == "" {
		return id
	}
	around := schedulers[p.scheduler].indexed
	return id + around[0] + index + around[1]
}
