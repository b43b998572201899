package appmap

import (
	"strings"
	"testing"
)

func TestInvoked(t *testing.T) {
	c := testCatalog(t)
	tests := []struct {
		line  string
		what  what
		value string
	}{
		{"python3 train.py --epochs 3", runsFile, "train.py"},
		{"python3 -u -W ignore train.py", runsFile, "train.py"},
		{"python3 -m torch.distributed.run x.py", runsModule, "torch.distributed.run"},
		{"python3 -um http.server", runsModule, "http.server"},
		{"python3 -c print(1) x.py", runsCode, ""},
		{"python3 -Bc print(1)", runsCode, ""},
		{"python3", runsNothing, ""},
		{"python3 -", runsNothing, ""},
		{"python3 -V", runsNothing, ""},
		{"python3 -- x.py", runsFile, "x.py"},
		{"python3 -m", runsModule, ""},
		{"R --no-echo --no-restore --file=fit.R", runsFile, "fit.R"},
		{"R -f fit.R --args x", runsFile, "fit.R"},
		{"R --vanilla", runsNothing, ""},
		{"R -e 1+1", runsCode, ""},
		{"perl -w -I lib tool.pl", runsFile, "tool.pl"},
		{"perl -lane print", runsCode, ""},
		{"java -Xmx8g -jar picard.jar SortSam", runsJar, "picard.jar"},
		{"java -cp a.jar:b.jar nextflow.cli.Launcher run", runsClass, "nextflow.cli.Launcher"},
		{"java --class-path=a.jar Main", runsClass, "Main"},
		{"java -version", runsNothing, ""},
		{"julia -t 8 --project=. sim.jl", runsFile, "sim.jl"},
		{"julia -e println(1)", runsCode, ""},
		{"bash -c srun", runsCode, ""},
		{"bash -xc srun", runsCode, ""},
		{"bash -o pipefail run.sh", runsFile, "run.sh"},
		{"bash -l", runsNothing, ""},
		{"bash +x run.sh", runsFile, "run.sh"},
		{"octave-cli --eval x", runsCode, ""},
		{"octave-cli --no-gui run.m", runsFile, "run.m"},
		{"node --require ./x server.js", runsFile, "server.js"},
		{"tclsh8.6 /usr/share/m.tcl", runsFile, "/usr/share/m.tcl"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			argv := strings.Fields(tt.line)
			m, ok := c.executable(argv[0])
			if !ok || m.entry == nil || m.entry.script == nil {
				t.Fatalf("%s is no interpreter of the catalogue: %+v", argv[0], m)
			}
			got := invoked(m.entry.script, argv)
			if got.what != tt.what || got.value != tt.value {
				t.Errorf("got %d %q, want %d %q", got.what, got.value, tt.what, tt.value)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	tests := []struct{ cwd, file, want string }{
		{"/home/u", "x.py", "/home/u/x.py"},
		{"/home/u", "../x.py", "/home/x.py"},
		{"/home/u", "/a//b/./c", "/a/b/c"},
		{"", "x.py", ""},
		{"(unreachable)/x", "x.py", ""},
		{"/", "/dev/fd/63", ""},
		{"/", "/proc/self/fd/3", ""},
		{"/", "", ""},
	}
	for _, tt := range tests {
		if got := resolve(tt.cwd, tt.file); got != tt.want {
			t.Errorf("resolve(%q, %q) = %q, want %q", tt.cwd, tt.file, got, tt.want)
		}
	}
}

func TestJarNamed(t *testing.T) {
	for file, want := range map[string][2]string{
		"/x/cromwell-84.jar":                {"cromwell", "84"},
		"/x/picard.jar":                     {"picard", ""},
		"/x/tool.22Jul22.46e.jar":           {"tool", "22Jul22.46e"},
		"/x/my.tool.jar":                    {"my.tool", ""},
		"/x/gatk-package-4.2.6.1-local.jar": {"gatk-package", "4.2.6.1"},
		"/x/trimmomatic-0.39.jar":           {"trimmomatic", "0.39"},
		"/x/nextflow-23.10.1-one.jar":       {"nextflow", "23.10.1"},
		"/x/spark-core_2.12-3.4.0.jar":      {"spark-core", "2.12-3.4.0"},
	} {
		if name, version := jarNamed(file); name != want[0] || version != want[1] {
			t.Errorf("jarNamed(%s) = %q %q, want %q", file, name, version, want)
		}
	}
}

func FuzzInvoked(f *testing.F) {
	c := testCatalog(f)
	f.Add("java", "-cp\x00a:b\x00Main")
	f.Add("python3", "-m\x00x")
	f.Add("bash", "-xec\x00\x00--\x00")
	f.Fuzz(func(t *testing.T, exe, args string) {
		m, ok := c.executable(exe)
		if !ok || m.entry == nil || m.entry.script == nil {
			return
		}
		inv := invoked(m.entry.script, append([]string{exe}, strings.Split(args, "\x00")...))
		if inv.what == runsNothing && inv.value != "" {
			t.Errorf("nothing is run, and it is %q", inv.value)
		}
	})
}
