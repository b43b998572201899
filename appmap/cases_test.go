package appmap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"procmon"
)

// labelled is one case of testdata/labelled: a process, the files it finds,
// and what it is. Alternatives are other right names; a generic one (the
// interpreter of a package's script) counts neither as right nor as wrong.
type labelled struct {
	part part

	ID      string            `json:"id"`
	Family  string            `json:"family"`
	Process caseProcess       `json:"process"`
	Files   map[string]string `json:"files"`
	Want    struct {
		Application  string   `json:"application"`
		Version      string   `json:"version"`
		Kind         string   `json:"kind"`
		Versions     []string `json:"version_alternatives"`
		Kinds        []string `json:"kind_alternatives"`
		Alternatives []struct {
			Application string `json:"application"`
			Version     any    `json:"version"`
			Generic     bool   `json:"generic"`
		} `json:"alternatives"`
	} `json:"want"`
}

type caseProcess struct {
	Exe  string            `json:"exe"`
	Args []string          `json:"args"`
	Cwd  string            `json:"cwd"`
	Env  map[string]string `json:"env"`
}

func (c *caseProcess) process() *procmon.Process {
	p := &procmon.Process{Exe: c.Exe, Cwd: c.Cwd, Comm: path.Base(c.Exe)}
	for _, a := range c.Args {
		p.Args = append(append(p.Args, a...), 0)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		p.Env = append(append(p.Env, name+"="+c.Env[name]...), 0)
	}
	return p
}

// allCases reads every file of testdata/labelled.
func allCases(t testing.TB) []labelled {
	t.Helper()
	names, err := filepath.Glob("testdata/labelled/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	var cases []labelled
	for _, name := range names {
		cases = append(cases, readCases(t, name)...)
	}
	return cases
}

// part is a part of the cases: half of the first ones is seen while rules are
// written, and of the other half and of those written last (held.jsonl) only
// the totals are.
type part string

const (
	seen   part = "seen"
	hidden part = "held back"
	later  part = "written last"
)

func partOf(file, id string) part {
	h := fnv.New32a()
	h.Write([]byte(id))
	switch {
	case filepath.Base(file) == "held.jsonl":
		return later
	case h.Sum32()%2 == 1:
		return hidden
	}
	return seen
}

func readCases(t testing.TB, name string) []labelled {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var cases []labelled
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var c labelled
		dec := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("%s: %v in %.80s", name, err, sc.Text())
		}
		c.part = partOf(name, c.ID)
		cases = append(cases, c)
	}
	return cases
}

// rootOf writes files below a new root.
func rootOf(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func newMapper(t testing.TB, c Config) *Mapper {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// verdict of one answer.
type verdict struct {
	app, version, kind, wrong, invented, generic bool
}

func judge(c *labelled, got procmon.Application) verdict {
	v := verdict{kind: string(got.Kind) == c.Want.Kind || slices.Contains(c.Want.Kinds, string(got.Kind))}
	versions := append([]string{c.Want.Version}, c.Want.Versions...)
	v.app = fold(got.Name) == fold(c.Want.Application)
	for _, a := range c.Want.Alternatives {
		if v.app || fold(a.Application) != fold(got.Name) {
			continue
		}
		v.generic, v.app = a.Generic, !a.Generic
		versions = versionList(a.Version)
	}
	v.wrong = got.Name != "" && !v.app && !v.generic
	v.version = v.app && slices.Contains(versions, got.Version)
	v.invented = v.app && got.Version != "" && c.Want.Version == "" && !v.version
	return v
}

func versionList(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return []string{""}
}

// score counts the verdicts of one half of the cases.
type score struct{ n, apps, versions, kinds, wrong, invented int }

func (s *score) add(v verdict) {
	s.n++
	for _, c := range []struct {
		hit bool
		n   *int
	}{{v.app, &s.apps}, {v.version, &s.versions}, {v.kind, &s.kinds}, {v.wrong, &s.wrong}, {v.invented, &s.invented}} {
		if c.hit {
			*c.n++
		}
	}
}

// TestCases names every labelled case, each over its own files, and holds
// every part to what the project promises.
func TestCases(t *testing.T) {
	scores := map[part]*score{seen: {}, hidden: {}, later: {}}
	ids := map[string]bool{}
	for _, c := range allCases(t) {
		if ids[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		ids[c.ID] = true
		m := newMapper(t, Config{Root: rootOf(t, c.Files)})
		got := m.Identify(context.Background(), c.Process.process())
		v := judge(&c, got)
		scores[c.part].add(v)
		if c.part == seen && !(v.app && v.version && v.kind) {
			t.Logf("%s %s: %s %s: got %q %q %s by %s, want %q %q %s", c.ID, c.Family, c.Process.Exe, strings.Join(c.Process.Args, " "),
				got.Name, got.Version, got.Kind, got.Evidence, c.Want.Application, c.Want.Version, c.Want.Kind)
		}
	}
	scores[seen].hold(t, seen, 150, 99, 10)
	scores[hidden].hold(t, hidden, 150, 97, 15)
	scores[later].hold(t, later, 140, 97, 10)
}

// hold fails below so many cases and per cent of applications, 97 % of versions
// where the application is right, above so many of a thousand that are wrong,
// and at any version that was invented. The limits are what was reached, so that
// no rule makes it worse.
func (s *score) hold(t *testing.T, p part, cases, apps, wrong int) {
	t.Helper()
	t.Logf("%s: %d cases, application %d, version with it %d, kind %d, wrong %d, invented %d", p, s.n, s.apps, s.versions, s.kinds, s.wrong, s.invented)
	if s.n < cases || s.apps*100 < apps*s.n || s.versions*100 < 97*s.apps || s.wrong*1000 > wrong*s.n || s.invented > 0 {
		t.Errorf("%s: below %d cases, %d %% of applications or 97 %% of versions, above %d ‰ wrong, or a version invented", p, cases, apps, wrong)
	}
}
