package appmap

import (
	"path"
	"strings"

	"procmon"
)

// Env lists the environment variables that naming reads; a name that ends in
// * stands for all that begin so. No other variable can change an answer.
var Env = []string{
	"LOADEDMODULES", "_LMFILES_", "EBROOT*", "EBVERSION*",
	"APPTAINER_CONTAINER", "APPTAINER_NAME", "SINGULARITY_CONTAINER", "SINGULARITY_NAME",
	"SHIFTER_IMAGE", "ENROOT_ROOTFS", "CH_RUNNING", "container",
}

// maxEnv bounds the variables that are looked at, in number.
const maxEnv = 1024

// subject is what an answer depends on, taken from a process.
type subject struct {
	uid     uint32 // whose permissions decide what can be read
	exe     string // absolute, or empty when it is no file
	process *procmon.Process
	argv    []string // of the program, by args; nil: not taken apart yet
	cwd     string
	env     environ
	image   string
	refused bool       // while it was named: files were not read for their server's sake
	deleted bool       // the file was replaced or removed since
	foreign bool       // of another mount namespace than the host's
	rule    match      // what the catalogue says of the executable's name
	tool    string     // of a multi-call binary
	inv     invocation // what an interpreter was told to run
	script  string     // the same, a path made absolute
	home    string     // root of the environment that a module is looked for in
}

// newSubject takes from a process what naming needs. It reads nothing.
func newSubject(c *catalog, p *procmon.Process, hostNS uint64) *subject {
	exe, deleted := strings.CutSuffix(p.Exe, " (deleted)")
	s := &subject{uid: p.UID, exe: exe, process: p, cwd: p.Cwd, deleted: deleted || p.ExeDeleted}
	s.env.read(string(p.Env))
	s.image = imageOf(&s.env)
	if p.MountNS != 0 && hostNS != 0 {
		s.foreign = p.MountNS != hostNS
	} else {
		s.foreign = s.image != "" || contained(&s.env)
	}
	s.unload()
	if !cleanPath(s.exe) || strings.HasPrefix(s.exe, "/memfd:") || strings.HasPrefix(s.exe, "/proc/") || strings.HasPrefix(s.exe, "/dev/") {
		s.exe = ""
	}
	s.invocation(c)
	return s
}

// invocation reads the command line of multi-call binaries and interpreters.
func (s *subject) invocation(c *catalog) {
	if s.exe == "" {
		return
	}
	s.rule, _ = c.executable(path.Base(s.exe))
	e := s.rule.entry
	if e == nil {
		return
	}
	if e.multicall {
		s.tool = s.argv0()
	}
	if e.script == nil || !runs(s.rule.kind) {
		return
	}
	s.inv = invoked(e.script, s.args())
	s.script = s.inv.value
	switch s.inv.what {
	case runsFile, runsJar:
		s.script = resolve(s.cwd, s.inv.value)
	case runsModule:
		s.home = s.prefix()
	}
}

// runs says whether a program of this kind runs scripts; compilers and tools
// of an interpreter's package don't.
func runs(k procmon.AppKind) bool {
	return k == procmon.KindInterpreter || k == procmon.KindShell
}

// prefix is the environment that an interpreter was called in: that of the
// name it was called by, since a virtual environment's is a symbolic link.
func (s *subject) prefix() string {
	file := s.exe
	if argv := s.args(); len(argv) > 0 && cleanPath(argv[0]) {
		file = argv[0]
	}
	root, ok := strings.CutSuffix(path.Dir(file), "/bin")
	if !ok {
		return ""
	}
	return root
}

// read takes the wanted variables of an environment. They share its memory.
func (e *environ) read(env string) {
	n := min(strings.Count(env, "\x00")+1, maxEnv)
	both := make([]string, 2*n)
	e.names, e.values = both[:0:n], both[n:n]
	for len(env) > 0 && len(e.names) < n {
		var v string
		v, env, _ = strings.Cut(env, "\x00")
		if name, value, ok := strings.Cut(v, "="); ok && wanted(name) {
			e.names, e.values = append(e.names, name), append(e.values, value)
		}
	}
}

func wanted(name string) bool {
	for _, w := range Env {
		if n := len(w) - 1; w[n] == '*' && strings.HasPrefix(name, w[:n]) || name == w {
			return true
		}
	}
	return false
}

// loaderValues are the options of ld.so that take a value (ld.so(8)).
var loaderValues = map[string]bool{
	"--library-path": true, "--preload": true, "--audit": true, "--argv0": true,
	"--inhibit-rpath": true, "--glibc-hwcaps-prepend": true, "--glibc-hwcaps-mask": true,
}

// unload sees through "ld.so PROGRAM …": the program is what runs.
func (s *subject) unload() {
	b := path.Base(s.exe)
	if !strings.HasPrefix(b, "ld-") || !strings.Contains(b, ".so") {
		return
	}
	argv := s.args()
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if loaderValues[a] {
			i++
			continue
		}
		if strings.HasPrefix(a, "-") {
			continue
		}
		if file := resolve(s.cwd, a); file != "" && strings.Contains(a, "/") {
			s.exe, s.argv = file, argv[i:]
		}
		return
	}
}

// args is the program's command line, which most names don't depend on.
func (s *subject) args() []string {
	if s.argv == nil {
		s.argv = s.process.Argv()
	}
	return s.argv
}

// argv0 is the base name that the program was called by.
func (s *subject) argv0() string {
	argv := s.args()
	if len(argv) == 0 {
		return ""
	}
	return strings.TrimPrefix(path.Base(argv[0]), "-")
}
