package appmap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon"
)

// manyPackages are the files of a conda environment and of its site-packages
// in which the n-th package has the programs tool-n and, of Python, script-n.
func manyPackages(env string, packages int) map[string]string {
	files := map[string]string{}
	site := env + "/lib/python3.11/site-packages"
	for i := range packages {
		files[fmt.Sprintf("%s/conda-meta/p%03d-1.%d-h0.json", env, i, i)] = fmt.Sprintf(`{"depends":["a >=1,<2"],"files":["bin/tool-%d","lib/x%d.so"],"link":{"source":"/x","type":1},"name":"p%03d","paths_data":{"paths":[%s{}]},"version":"1.%d"}`,
			i, i, i, strings.Repeat(fmt.Sprintf(`{"_path":"bin/other-%d","path_type":"hardlink","sha256":"0123456789abcdef"},`, i), 40), i)
		files[fmt.Sprintf("%s/q%03d-2.%d.dist-info/RECORD", site, i, i)] = fmt.Sprintf("../../../bin/script-%d,sha256=x,1\nq%d/__init__.py,,\n", i, i)
		files[fmt.Sprintf("%s/q%03d-2.%d.dist-info/METADATA", site, i, i)] = fmt.Sprintf("Name: q%03d\nVersion: 2.%d\n\n", i, i)
	}
	return files
}

// TestTreesAreReadOnce: of the programs of one tree only the first one reads
// its metadata, for as long as nothing is installed there.
func TestTreesAreReadOnce(t *testing.T) {
	const env = "/opt/conda/envs/x"
	root := rootOf(t, manyPackages(env, 100))
	m := newMapper(t, Config{Root: root, CacheSize: -1})
	c := &counting{beneath: m.files.beneath}
	m.files.beneath = c
	is := func(n int, format string, version string) {
		t.Helper()
		exe := fmt.Sprintf(env+"/bin/"+format, n)
		p := process(exe)
		if format == "script-%d" {
			p = process(env+"/bin/python3.11", "python", exe)
		}
		if got := m.Identify(context.Background(), p); got.Version != fmt.Sprintf(version, n) {
			t.Errorf("%s: %+v", exe, got)
		}
	}
	is(1, "tool-%d", "1.%d")
	is(1, "script-%d", "2.%d")
	c.opens, c.lists = 0, 0
	for n := range 100 {
		is(n, "tool-%d", "1.%d")
	}
	if c.opens > 0 || c.lists > 0 {
		t.Errorf("100 programs of a known tree opened %d files and listed %d directories", c.opens, c.lists)
	}
	for n := range 100 {
		is(n, "script-%d", "2.%d")
	}
	if c.opens > 5*100 { // METADATA, and what .spack and a note may tell
		t.Errorf("100 scripts of a known tree opened %d files", c.opens)
	}
	if got := m.Identify(context.Background(), process(env+"/bin/tool-100")); got.Name != "" {
		t.Errorf("not installed yet: %+v", got)
	}
	added := filepath.Join(root, env, "conda-meta/p100-1.100-h0.json")
	if err := os.WriteFile(added, []byte(`{"name":"p100","version":"1.100","files":["bin/tool-100"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	is(100, "tool-%d", "1.%d")
}

// TestIndexesAreOfOneUser: what one user's permissions read names nothing of
// another's.
func TestIndexesAreOfOneUser(t *testing.T) {
	const env = "/opt/conda/envs/x"
	m := newMapper(t, Config{Root: rootOf(t, manyPackages(env, 20)), CacheSize: -1})
	open := &permitted{beneath: m.files.beneath, uid: 7}
	m.files.beneath = open
	m.config.AsUser = func(p *procmon.Process, f func()) { open.as = p.UID; f() }
	for _, uid := range []uint32{7, 8, 7} {
		p := process(env + "/bin/tool-3")
		p.UID = uid
		got := m.Identify(context.Background(), p)
		if (got.Name != "") != (uid == 7) {
			t.Errorf("user %d: %+v", uid, got)
		}
	}
}

// permitted lets one user open files.
type permitted struct {
	beneath
	uid, as uint32
}

func (p *permitted) open(dir, name string, limit int64) (*os.File, error) {
	if p.as != p.uid {
		return nil, os.ErrPermission
	}
	return p.beneath.open(dir, name, limit)
}

// TestIndexesAreBounded: however many trees there are, and however much they
// list, the indexes' memory is bounded.
func TestIndexesAreBounded(t *testing.T) {
	trees := newTreeIndexes()
	info, err := os.Stat(".")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		x := &treeIndex{pathIndex: newPathIndex(), dir: info}
		for j := 0; !x.full() && i%2 == 0; j++ {
			x.add([]byte{byte(j), byte(j >> 8), byte(j >> 16)}, 0)
		}
		trees.put(treeKey{uint32(i), "/x"}, x)
		trees.put(treeKey{uint32(i), "/x"}, x)
	}
	for i := range 100_000 {
		trees.put(treeKey{uint32(i), "/y"}, &treeIndex{dir: info})
	}
	cost := 0
	for e := trees.recent.Front(); e != nil; e = e.Next() {
		cost += e.Value.(*keptIndex).index.cost()
	}
	if cost > maxAllPaths || cost != trees.paths || len(trees.byKey) != trees.recent.Len() {
		t.Errorf("%d paths, %d counted, %d keys of %d", cost, trees.paths, len(trees.byKey), trees.recent.Len())
	}
}

// FuzzScanCondaMeta holds the one-pass reader to encoding/json.
func FuzzScanCondaMeta(f *testing.F) {
	f.Add([]byte(`{"build":"h0_0","files":["bin/fastp","share/x"],"name":"fastp","version":"0.23.4"}`))
	f.Add([]byte(`{"a":{"b":["]}\"",{}]},"files":["a\u0062\\"],"n":1e9,"name":"x","t":true,"version":"1"} `))
	f.Add([]byte(`{"a":[[[["`))
	f.Add([]byte(`{"files":[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var files []string
		name, version, ok := scanCondaMeta(data, func(file []byte) { files = append(files, string(file)) })
		var want struct {
			Name, Version *string
			Files         []string
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal(data, &keys) != nil || json.Unmarshal(data, &want) != nil || want.Name == nil || want.Version == nil {
			return
		}
		for _, key := range []string{"name", "version", "files"} {
			if n := bytes.Count(bytes.ToLower(data), []byte(key)); n != 1 || keys[key] == nil || bytes.Contains(data, []byte(`\`)) {
				return // encoding/json takes the last of several, and "NAME" for "name"
			}
		}
		if !ok || name != cleanWord(*want.Name) || version != cleanWord(*want.Version) || strings.Join(files, "\n") != strings.Join(want.Files, "\n") {
			t.Errorf("%q %q %q %v, want %+v", name, version, files, ok, want)
		}
	})
}

// bigPackages is a local environment as conda makes them: 150 packages that
// list 100 files each, and tell of each file once more.
func bigPackages(env string) map[string]string {
	files := map[string]string{}
	for i := range 150 {
		var list, paths []string
		for j := range 100 {
			file := fmt.Sprintf("lib/python3.11/site-packages/package%d/module%d.py", i, j)
			list = append(list, `"`+file+`"`)
			paths = append(paths, fmt.Sprintf(`{"_path":%q,"path_type":"hardlink","sha256":"%064d","sha256_in_prefix":"%064d","size_in_bytes":%d}`, file, j, j, j))
		}
		files[fmt.Sprintf("%s/conda-meta/p%03d-1.2-h0.json", env, i)] = fmt.Sprintf(`{"files":["bin/tool-%d",%s],"name":"p%03d","paths_data":{"paths":[%s]},"version":"1.2"}`,
			i, strings.Join(list, ","), i, strings.Join(paths, ","))
	}
	return files
}

// BenchmarkCondaFirst is the first program of an environment, called like no
// package of it; BenchmarkCondaNew is each one after it, and BenchmarkCondaAlike
// the first one when it is called like its package.
func BenchmarkCondaFirst(b *testing.B) {
	benchmarkConda(b, "tool-149", func(m *Mapper) { m.trees = newTreeIndexes() })
}

func BenchmarkCondaNew(b *testing.B) { benchmarkConda(b, "tool-149", func(*Mapper) {}) }

func BenchmarkCondaAlike(b *testing.B) {
	benchmarkConda(b, "p14x", func(m *Mapper) { m.trees = newTreeIndexes() })
}

func benchmarkConda(b *testing.B, program string, before func(*Mapper)) {
	const env = "home/u/miniforge3/envs/x"
	files := bigPackages(env)
	files[env+"/conda-meta/p14x-1.2-h0.json"] = `{"files":["bin/p14x"],"name":"p14x","version":"1.2"}`
	m := newMapper(b, Config{Root: rootOf(b, files), CacheSize: -1})
	p := process("/" + env + "/bin/" + program)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	var got procmon.Application
	for b.Loop() {
		before(m)
		got = m.Identify(ctx, p)
	}
	if got.Version != "1.2" {
		b.Error(got)
	}
}
