package procmon

// AppKind is the role that a program plays.
type AppKind string

// The kinds of application. Reports by application leave out launchers,
// shells and system programs unless asked for them.
const (
	KindApplication AppKind = "application"
	KindScript      AppKind = "script"      // a script that belongs to an identified package
	KindInterpreter AppKind = "interpreter" // Python, R, Julia … running something not identified
	KindCompiler    AppKind = "compiler"
	KindLauncher    AppKind = "launcher" // mpirun, srun, time, profilers, container starters
	KindShell       AppKind = "shell"    // shells, user and job scripts run by them
	KindSystem      AppKind = "system"   // ls, sed, sleep …
	KindUnknown     AppKind = "unknown"
)

// AppKinds lists every kind, in the order of the reports.
var AppKinds = []AppKind{KindApplication, KindScript, KindInterpreter, KindCompiler, KindLauncher, KindShell, KindSystem, KindUnknown}

// Application is what a program was. An unknown one has kind KindUnknown and
// no name. Application is comparable.
type Application struct {
	Name     string // of the upstream project: "GROMACS"
	Version  string // upstream version; empty when it is written nowhere
	Kind     AppKind
	Package  string // the package string with all suffixes: "GROMACS/2023.3-foss-2023a"
	Evidence string // which kind of evidence decided: "easybuild", "spack", "dpkg", "names" …
	Script   string // the script, module or jar that an interpreter ran; empty for others
	Image    string // the container image it ran in, recorded beside the application
	Rules    string // version of the rules that named it
}
