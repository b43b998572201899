package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// packaged is a program that a distribution's package, or a user's own
// installation, brings, and what it says of its version.
type packaged struct {
	name    string   // as reports shall show it
	needs   []string // files without which it is not here
	install string   // what brings them, on Debian
	prepare func(*testing.T, account)
	job     string   // lines of a batch script
	asks    []string // prints the version, on either output
	printed string   // a regular expression; its group is the version
}

// The commands run in a user's home. PATH is a login's without /usr/local:
// what lies there is nobody's package.
var packages = []packaged{
	{
		name: "GROMACS", needs: []string{"/usr/bin/gmx"}, install: "gromacs",
		job:  "gmx -quiet solvate -cs spc216 -box 2 2 2 -o water.gro",
		asks: []string{"gmx", "--version"}, printed: `GROMACS version:\s+([0-9.]+)`,
	},
	{
		name: "SAMtools", needs: []string{"/usr/bin/samtools"}, install: "samtools",
		job:  "printf '>s\\nACGT\\n' > s.fa; samtools faidx s.fa",
		asks: []string{"samtools", "--version"}, printed: `^samtools (\S+)`,
	},
	{
		// It prints its repository's revision behind the release: 0.7.17-r1188.
		name: "BWA", needs: []string{"/usr/bin/bwa"}, install: "bwa",
		job:  "printf '>b\\nACGTTTGACGATAGACATACCGATAGAC\\n' > b.fa; bwa index b.fa",
		asks: []string{"bwa"}, printed: `Version: ([0-9.]+)-r`,
	},
	{
		name: "Octave", needs: []string{"/usr/bin/octave-cli"}, install: "octave",
		job:  "octave-cli --norc --eval 'disp(magic(3))'",
		asks: []string{"octave-cli", "--version"}, printed: `GNU Octave, version (\S+)`,
	},
	{
		name: "R", needs: []string{"/usr/bin/Rscript"}, install: "r-base-core",
		job:  "Rscript --vanilla -e 'summary(1:10)'",
		asks: []string{"R", "--version"}, printed: `R version (\S+)`,
	},
	{
		name: "Open MPI", needs: []string{"/usr/bin/mpirun.openmpi"}, install: "openmpi-bin",
		job:  "mpirun.openmpi --oversubscribe -n 2 /bin/true",
		asks: []string{"mpirun.openmpi", "--version"}, printed: `\((?:Open MPI|OpenRTE)\) (\S+)`,
	},
	{
		name: "pip", needs: venv, install: "python3-venv", prepare: makeVenv,
		job:  "venv/bin/pip list",
		asks: []string{"venv/bin/pip", "--version"}, printed: `^pip (\S+)`,
	},
	{
		name: "flowtool", needs: venv, install: "python3-venv", prepare: makeVenv,
		job:  "venv/bin/flow-run",
		asks: []string{"venv/bin/flow-run"}, printed: `^(\S+)`,
	},
	{
		name: "Python", needs: []string{"/usr/bin/python3"}, install: "python3",
		job:  "python3 -c 'print(sum(range(10)))'",
		asks: []string{"python3", "--version"}, printed: `^Python (\S+)`,
	},
	{
		name: "Flow Mesher", needs: []string{"/usr/bin/java"}, install: "default-jre-headless",
		prepare: func(t *testing.T, a account) { makeJar(t, a.home+"/mesher.jar", "Flow Mesher", "4.7.2") },
		job:     "java -Xmx32m -jar mesher.jar",
		asks:    []string{"java", "-Xmx32m", "-jar", "mesher.jar"}, printed: `^(\S+)`,
	},
}

var venv = []string{"/usr/bin/python3", "/usr/lib/python3*/ensurepip/__init__.py"}

// TestIntegrationPackages runs what is installed of some packages in one job,
// and compares the versions in the report with those that the programs print.
func TestIntegrationPackages(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch", "slurmd", "munged")
	d := startDaemon(t, f, "--source", string(f.best(t)))
	s := startSlurm(t, f, 1, d.jobs)

	script := "#!/bin/sh\ncd " + f.alice.home + "\n"
	want := map[string]string{} // by the name of the package
	for _, p := range packages {
		if p.missing() == "" {
			if p.prepare != nil {
				p.prepare(t, f.alice)
			}
			want[p.name] = p.version(t, f.alice)
			script += p.job + " || exit 1\n"
		}
	}
	id := s.submit(f.alice, script)
	s.wait(id)
	d.flush()

	got := versionsOf(t, d, id)
	for _, p := range packages {
		t.Run(p.name, func(t *testing.T) {
			if file := p.missing(); file != "" {
				t.Skipf("there is no %s: install %s, or run make test-packages", file, p.install)
			}
			if versions := got[p.name]; !contains(versions, want[p.name]) {
				t.Errorf("%s prints %s; the report has %q, of %q", p.name, want[p.name], versions, got)
			}
		})
	}
}

// missing gives a file that the program needs and that is not there, or "".
func (p *packaged) missing() string {
	for _, pattern := range p.needs {
		if found, _ := filepath.Glob(pattern); len(found) == 0 {
			return pattern
		}
	}
	return ""
}

// version asks the program itself.
func (p *packaged) version(t *testing.T, a account) string {
	t.Helper()
	argv := p.asks
	if strings.Contains(argv[0], "/") {
		argv = append([]string{filepath.Join(a.home, argv[0])}, argv[1:]...)
	}
	out, err := as(t, a, append([]string{"env"}, argv...)...).CombinedOutput() // some end with 1 after their help
	m := regexp.MustCompile("(?m)" + p.printed).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%q prints no version (%v):\n%s", p.asks, err, out)
	}
	return string(m[1])
}

// versionsOf asks procmon-report which versions of what a job ran.
func versionsOf(t *testing.T, d *daemon, job string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.f.program("procmon-report"), "--index", d.index,
		"--by-application", "--by-version", "--all", "--job", job, "--format", "json")
	var report struct {
		Rows []struct{ Application, Version string }
	}
	if err := json.Unmarshal([]byte(output(t, cmd)), &report); err != nil {
		t.Fatal(err)
	}
	versions := map[string][]string{}
	for _, r := range report.Rows {
		versions[r.Application] = append(versions[r.Application], r.Version)
	}
	return versions
}

// makeVenv makes a virtualenv in which pip has installed a wheel that brings a
// command.
func makeVenv(t *testing.T, a account) {
	t.Helper()
	if _, err := os.Stat(a.home + "/venv/bin/flow-run"); err == nil {
		return
	}
	began := time.Now()
	output(t, as(t, a, "/usr/bin/python3", "-m", "venv", "venv"))
	wheel := a.home + "/flowtool-3.2.1-py3-none-any.whl"
	info := "flowtool-3.2.1.dist-info/"
	makeZip(t, wheel,
		member{"flowtool/__init__.py", "from importlib.metadata import version\ndef main():\n    print(version('flowtool'))\n"},
		member{info + "METADATA", "Metadata-Version: 2.1\nName: flowtool\nVersion: 3.2.1\n"},
		member{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		member{info + "entry_points.txt", "[console_scripts]\nflow-run = flowtool:main\n"},
		member{info + "RECORD", fmt.Sprintf("flowtool/__init__.py,,\n%[1]sMETADATA,,\n%[1]sWHEEL,,\n%[1]sentry_points.txt,,\n%[1]sRECORD,,\n", info)},
	)
	output(t, as(t, a, a.home+"/venv/bin/pip", "install", "--no-index", "--quiet", wheel))
	t.Logf("the virtualenv took %v", time.Since(began).Round(time.Millisecond))
}
