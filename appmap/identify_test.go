package appmap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

func process(exe string, argv ...string) *procmon.Process {
	if len(argv) == 0 {
		argv = []string{exe}
	}
	return &procmon.Process{Exe: exe, Cwd: "/home/u", Args: []byte(strings.Join(argv, "\x00") + "\x00")}
}

// TestWholeAnswer holds every field of one answer.
func TestWholeAnswer(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	p := process("/usr/bin/python3.11", "python3", "/apps/eb/software/RSeQC/5.0.1-foss-2023a/bin/bam_stat.py")
	p.Env = []byte("APPTAINER_CONTAINER=/img/x.sif\x00")
	got := m.Identify(context.Background(), p)
	want := procmon.Application{
		Name: "RSeQC", Version: "5.0.1", Kind: procmon.KindScript, Package: "RSeQC/5.0.1-foss-2023a", Evidence: "easybuild",
		Script: "/apps/eb/software/RSeQC/5.0.1-foss-2023a/bin/bam_stat.py", Image: "/img/x.sif", Rules: m.catalog.version,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestForeignNamespace: the host's database and files name nothing that runs
// in another mount namespace; its paths still do.
func TestForeignNamespace(t *testing.T) {
	root := rootOf(t, map[string]string{
		"var/lib/dpkg/status":           statusText,
		"var/lib/dpkg/info/bwa.list":    "/usr/bin/bwa\n",
		"opt/env/conda-meta/x-1-0.json": `{"name":"tool","version":"1","files":["bin/tool"]}`,
		"opt/env/bin/tool":              "",
		"sp/x/.spack/spec.json":         `{"spec":{"nodes":[{"name":"octave","version":"8.2.0"}]}}`,
	})
	m := newMapper(t, Config{Root: root, MountNS: 1})
	tests := []struct {
		exe            string
		home, elseware string // name and version on the host, and elsewhere
	}{
		{"/usr/bin/bwa", "BWA 0.7.17", "BWA "},
		{"/opt/env/bin/tool", "tool 1", " "},
		{"/sp/x/bin/something", "Octave 8.2.0", " "},
		{"/apps/bwa/0.7.18/bwa", "BWA 0.7.18", "BWA 0.7.18"},
	}
	for _, tt := range tests {
		t.Run(tt.exe, func(t *testing.T) {
			for ns, want := range map[uint64]string{1: tt.home, 2: tt.elseware} {
				p := process(tt.exe)
				p.MountNS = ns
				got := m.Identify(context.Background(), p)
				if have := got.Name + " " + got.Version; have != want {
					t.Errorf("namespace %d: %q, want %q", ns, have, want)
				}
			}
		})
	}
}

// TestLoadedModulesNameNothingElse is the label policy's third rule.
func TestLoadedModulesNameNothingElse(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	p := process("/home/u/mycode/solver")
	p.Env = []byte("LOADEDMODULES=gromacs/2023.1\x00EBROOTGROMACS=/apps/gromacs/2023.1\x00EBVERSIONGROMACS=2023.1\x00CONDA_PREFIX=/opt/conda\x00")
	if got := m.Identify(context.Background(), p); got.Name != "" || got.Version != "" || got.Kind != procmon.KindUnknown {
		t.Errorf("got %+v", got)
	}
}

func TestMultiCallTools(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	for argv0, want := range map[string]procmon.AppKind{"sh": procmon.KindShell, "-ash": procmon.KindShell, "/bin/ls": procmon.KindSystem} {
		if got := m.Identify(context.Background(), process("/usr/bin/busybox", argv0, "x")); got.Kind != want || got.Name != "BusyBox" {
			t.Errorf("%s: %+v", argv0, got)
		}
	}
}

func TestExplain(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	got := m.Explain(context.Background(), process("/apps/bench/2023/bin/siesta"))
	want := Explanation{
		Application: procmon.Application{Name: "SIESTA", Kind: procmon.KindApplication, Evidence: "names", Rules: m.catalog.version},
		Considered: []Candidate{
			{Evidence: "layout", Name: "bench", Version: "2023", Package: "bench/2023", Lost: "a directory that may be a collection, and the name is well known"},
			{Evidence: "names", Name: "SIESTA"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := m.cache.recent.Len(); n != 0 {
		t.Errorf("Explain filled the cache with %d answers", n)
	}
}

// TestExplainModules tells why a loaded module is not the answer.
func TestExplainModules(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	tests := []struct{ exe, env, name, lost string }{
		{"/apps/gcc/12.2.0/nwchem/7.2.0/bin/nwchem", "LOADEDMODULES=gcc/12.2.0", "NWChem", "another tree lies inside of the module's"},
		{"/apps/nwchem/7.2.0/gcc/12.2.0/bin/nwchem", "LOADEDMODULES=gcc/12.2.0", "NWChem", "a compiler or MPI that the application was built with"},
	}
	for _, tt := range tests {
		t.Run(tt.exe, func(t *testing.T) {
			p := process(tt.exe)
			p.Env = []byte(tt.env + "\x00")
			got := m.Explain(context.Background(), p)
			if got.Application.Name != tt.name || len(got.Considered) == 0 || got.Considered[0].Lost != tt.lost {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestExplanationIsBounded(t *testing.T) {
	tr := &trace{}
	for range 2 * maxCandidates {
		tr.lost(finding{}, "x")
	}
	if len(tr.considered) != maxCandidates {
		t.Errorf("%d candidates", len(tr.considered))
	}
}

// TestCache: what an answer does not depend on makes no new entry, and what
// it depends on does.
func TestCache(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir(), CacheSize: 4})
	n := func(p *procmon.Process) int {
		m.Identify(context.Background(), p)
		return m.cache.recent.Len()
	}
	if n(process("/apps/x/1.2/bin/x", "x", "-i", "1")) != 1 || n(process("/apps/x/1.2/bin/x", "x", "-i", "2")) != 1 {
		t.Error("arguments of a program make entries of their own")
	}
	if n(process("/usr/bin/python3.11", "python3", "a.py", "1")) != 2 || n(process("/usr/bin/python3.11", "python3", "a.py", "2")) != 2 {
		t.Error("arguments of a script make entries of their own")
	}
	if n(process("/usr/bin/python3.11", "python3", "b.py")) != 3 {
		t.Error("two scripts share an entry")
	}
	for i := range 10 {
		n(process("/apps/x/1."+string(rune('0'+i))+"/bin/x", "x"))
	}
	if got := m.cache.recent.Len(); got != 4 || len(m.cache.byKey) != 4 {
		t.Errorf("%d entries and %d keys, want 4", got, len(m.cache.byKey))
	}
}

func TestCacheForgets(t *testing.T) {
	c := newCache(2)
	k, now := cacheKey{1, 2}, time.Unix(100, 0)
	c.put(cached{key: k, app: procmon.Application{Name: "X"}, until: now})
	if _, ok := c.get(k, now.Add(-1)); !ok {
		t.Error("forgotten too early")
	}
	if _, ok := c.get(k, now); ok || len(c.byKey) != 0 {
		t.Error("kept beyond its time")
	}
	none := newCache(-1)
	none.put(cached{key: k, until: now})
	if len(none.byKey) != 0 {
		t.Error("a cache of no size keeps something")
	}
}

// TestNoReaderFree: look-ups that hang on files leave paths to go by, and
// what is then answered is not remembered.
func TestNoReaderFree(t *testing.T) {
	root := rootOf(t, map[string]string{"opt/env/conda-meta/x-1-0.json": `{"name":"tool","version":"1","files":["bin/tool"]}`})
	m := newMapper(t, Config{Root: root})
	for range maxReaders {
		m.readers <- struct{}{}
	}
	if got := m.Identify(context.Background(), process("/opt/env/bin/tool")); got.Name != "" {
		t.Errorf("files were read: %+v", got)
	}
	if got := m.Identify(context.Background(), process("/apps/bwa/0.7.17/bwa")); got.Version != "0.7.17" {
		t.Errorf("the path was not read: %+v", got)
	}
	<-m.readers
	if got := m.Identify(context.Background(), process("/opt/env/bin/tool")); got.Name != "tool" {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	m := newMapper(t, Config{Root: dpkgRoot(t), CacheSize: 8})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 50 {
				m.Identify(context.Background(), process("/usr/bin/bwa"))
				m.Identify(context.Background(), process("/apps/x/1."+string(rune('a'+i))+"/bin/x"))
			}
		})
	}
	wg.Wait()
}

// FuzzIdentify: no process, however odd, makes an answer that a record can't
// carry.
func FuzzIdentify(f *testing.F) {
	for _, c := range allCases(f)[:40] {
		p := c.Process.process()
		f.Add(p.Exe, p.Cwd, p.Args, p.Env)
	}
	f.Add("/usr/bin/java", "/", []byte("java\x00-cp\x00:::\x00org.apache.spark.X\x00"), []byte("EBROOTX=/\x00EBROOT=\x00LOADEDMODULES=/:a/:/\x00"))
	f.Add("/a/\xff-1.2/bin/\x1b[0m", "relative", []byte("\x00\x00"), []byte("=\x00"))
	m := newMapper(f, Config{Root: f.TempDir(), CacheSize: -1})
	kinds := procmon.AppKinds
	f.Fuzz(func(t *testing.T, exe, cwd string, args, env []byte) {
		p := &procmon.Process{Exe: exe, Cwd: cwd, Args: args, Env: env}
		got := m.Identify(context.Background(), p)
		for _, s := range []string{got.Name, got.Version, got.Package} {
			if len(s) > 256 || strings.ContainsAny(s, "\x00\n\x1b") || !utf8.ValidString(s) {
				t.Errorf("%q in %+v", s, got)
			}
		}
		if !slices.Contains(kinds, got.Kind) || got.Name == "" && (got.Version != "" || got.Kind != procmon.KindUnknown) {
			t.Errorf("%+v", got)
		}
		if again := m.Explain(context.Background(), p); again.Application != got {
			t.Errorf("Explain gives %+v", again.Application)
		}
	})
}

func BenchmarkIdentifyCached(b *testing.B) {
	m := newMapper(b, Config{Root: b.TempDir()})
	p := process("/apps/eb/software/GROMACS/2023.3-foss-2023a/bin/gmx_mpi", "gmx_mpi", "mdrun")
	env := map[string]string{"LOADEDMODULES": strings.Repeat("GCC/12.3.0:", 30)}
	for i := range 30 {
		env["EBROOTX"+strings.Repeat("Y", i)] = "/apps/eb/software/x/1.2"
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		p.Env = append(p.Env, k+"="+env[k]+"\x00"...)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Identify(context.Background(), p)
	}
}

func BenchmarkIdentifyNew(b *testing.B) {
	m := newMapper(b, Config{Root: b.TempDir(), CacheSize: -1})
	p := process("/apps/eb/software/GROMACS/2023.3-foss-2023a/bin/gmx_mpi", "gmx_mpi", "mdrun")
	for b.Loop() {
		m.Identify(context.Background(), p)
	}
}

// BenchmarkIdentifyNewInConda is a program that no path tells, in a local
// environment of 150 packages, of which the last but a few lists it.
func BenchmarkIdentifyNewInConda(b *testing.B) {
	const env = "home/u/miniforge3/envs/x"
	files := map[string]string{}
	for i := range 150 {
		files[fmt.Sprintf(env+"/conda-meta/p%03d-1.2-h0.json", i)] = `{"name":"p","version":"1","files":["` + strings.Repeat(`lib/python3.11/site-packages/x.py","`, 60) + `"]}`
	}
	files[env+"/conda-meta/zlast-1.2-h0.json"] = `{"name":"zlast","version":"1.2","files":["bin/oddname"]}`
	m := newMapper(b, Config{Root: rootOf(b, files), CacheSize: -1})
	p := process("/" + env + "/bin/oddname")
	for b.Loop() {
		if got := m.Identify(context.Background(), p); got.Version != "1.2" {
			b.Fatal(got)
		}
	}
}
