package appmap

import (
	"context"
	"testing"

	"procmon"
)

const (
	hash32   = "abcdefghijklmnopqrstuvwxyz234567"
	nixStore = "/nix/store/0c9d8fghijklmnpqrsvwxyz012345678-"
)

// TestTreesThatAreNotPlain holds the rules for names and versions that don't
// stand side by side.
func TestTreesThatAreNotPlain(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	tests := []struct{ exe, name, version, why string }{
		{"/cm/shared/apps/openmpi4/gcc/4.1.5/bin/mpirun", "Open MPI", "4.1.5", "a bare compiler between"},
		{"/opt/apps/gromacs/gnu12/mpich/2023.1/bin/gmx", "GROMACS", "2023.1", "a compiler and an MPI between"},
		{"/apps/impi/2021.9.0-intel-compilers-2023.1.0/mpi/2021.9.0/bin/mpirun", "Intel MPI", "2021.9.0", "a version is no name"},
		{"/apps/gcc/12.2.0/bin/gfortran", "GCC", "12.2.0", "the compiler's own program"},
		{"/usr/lib64/mpich/bin/mpiexec", "MPICH", "", "one of several, told by its directory"},
		{"/opt/soft/vasp.6.3.2/bin/vasp_std", "VASP", "6.3.2", "name and version in one word"},
		{"/home/u/vasp.6.3.2/bin/plot", "", "", "the same of a user, and no program of it"},
		{"/opt/myflow/bin/myflow", "myflow", "", "a site's tree without a version"},
		{"/home/u/myflow/bin/myflow", "", "", "a user's own"},
		{"/usr/local/bin/myflow", "", "", "a directory of all programs"},
		{"/usr/bin/sickle", "Sickle", "", "called like a package, in the system's directory"},
		{"/home/u/bin/sickle", "", "", "called like a package, elsewhere"},
		{"/opt/synopsys/hspice/Q-2020.03-SP2/hspice/linux64/hspice", "HSPICE", "Q-2020.03-SP2", "a letter before the year"},
		{"/opt/maker/Product8.0/etc/bin/run", "Product", "8.0", "name and version in one word, right where software stands"},
		{"/opt/maker/x/y/Product8.0/bin/run", "", "", "the same, deep inside of something"},
		{"/home/u/Product8.0/bin/run", "", "", "the same of a user"},
		{"/apps/tool/2.1/lib/python3.11/bin/run", "tool", "2.1", "a language's directory"},
		{"/apps/ansys/2021R2/v212/ansys/bin/ansys.e", "Ansys", "2021R2", "a release above the vendor's tree"},
		{"/opt/hpcx-v2.15-gcc-redhat8/ompi/bin/orted", "HPC-X", "2.15", "the version of what bundles an MPI"},
		{"/opt/conda/share/varscan-2.4.6-0/run", "VarScan", "2.4.6", "conda's build number"},
		{"/cvmfs/x/lcg/releases/ROOT/6.28.04-740f6/el9/bin/root.exe", "ROOT", "6.28.04", "a hash behind the version"},
		{"/apps/boost/1_74_0/bin/b2", "boost", "1.74.0", "dots that became underscores"},
		{"/spack-stage/spack-stage-hdf5-1.14.1-" + hash32 + "/build/bin/h5dump", "HDF5", "1.14.1", "where Spack builds"},
		{nixStore + "user-environment/bin/gmx", "GROMACS", "", "a collection, and a program that is well known"},
		{nixStore + "source/bin/run", "", "", "a collection"},
		{nixStore + "hello/bin/hello", "hello", "", "called like its item"},
		{nixStore + "python3-3.11.6-env/bin/python3.11", "Python", "3.11.6", "an interpreter's collection"},
		{"/cvmfs/x/compat/linux/x86_64/usr/bin/sort", "coreutils", "", "the tools of a system with a root of its own"},
		{"/home/u/bin/sort", "", "", "a user's own of that name"},
		{"/home/u/star-2.0/bin/prog", "", "", "a plain word, which users use too"},
		{"/home/u/star-2.7.10/bin/STAR", "STAR", "2.7.10", "the same, and a program of it"},
		{"/apps/star/2.7.10/bin/helper", "STAR", "2.7.10", "the same, where a site installs"},
		{"/home/u/gromacs-2023.1/bin/helper", "GROMACS", "2023.1", "no plain word"},
		{"/home/u/code/time", "", "", "a short name of any program"},
		{"/home/u/code/gp", "", "", "a short name of any program"},
		{"/home/u/bin/time", "GNU time", "", "a short name where programs are installed"},
		{"/home/u/code/R/R", "R", "", "a short name below a directory of that name"},
	}
	for _, tt := range tests {
		t.Run(tt.exe, func(t *testing.T) {
			got := m.Identify(context.Background(), process(tt.exe))
			if got.Name != tt.name || got.Version != tt.version {
				t.Errorf("%s: %q %q by %s", tt.why, got.Name, got.Version, got.Evidence)
			}
		})
	}
}

// TestModuleOverLevels: what the catalogue does not know is named by its
// module when compilers and MPIs stand between name and version.
func TestModuleOverLevels(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	for env, want := range map[string]string{
		"LOADEDMODULES=gnu12/12.2.0:mpich/3.4.3:oddtool/2.18.1": "oddtool 2.18.1",
		"LOADEDMODULES=othertool/2.18.1":                        "MPICH 2.18.1",
	} {
		p := process("/opt/ohpc/pub/apps/oddtool/gnu12/mpich/2.18.1/bin/ij")
		p.Env = []byte(env + "\x00")
		if got := m.Identify(context.Background(), p); got.Name+" "+got.Version != want {
			t.Errorf("%s: %q %q by %s", env, got.Name, got.Version, got.Evidence)
		}
	}
}

// TestContainerMarks: where a starter left its mark and the mount namespace is
// not known, the host's database names nothing.
func TestContainerMarks(t *testing.T) {
	m := newMapper(t, Config{Root: dpkgRoot(t)})
	for _, env := range []string{"CH_RUNNING=1", "container=podman", "SHIFTER_IMAGE=x:1", "ENROOT_ROOTFS=/x", "APPTAINER_CONTAINER=/x.sif"} {
		p := process("/usr/bin/bwa")
		p.Env = []byte(env + "\x00")
		if got := m.Identify(context.Background(), p); got.Name != "BWA" || got.Version != "" || got.Kind != procmon.KindApplication {
			t.Errorf("%s: %+v", env, got)
		}
	}
	if got := m.Identify(context.Background(), process("/usr/bin/bwa")); got.Version == "" {
		t.Errorf("on the host: %+v", got)
	}
}

// TestClassPaths: a main class that no rule knows is named by where the whole
// of its class path lies.
func TestClassPaths(t *testing.T) {
	m := newMapper(t, Config{Root: t.TempDir()})
	for classes, want := range map[string]string{
		"/apps/flow/2.3/lib/a.jar:/apps/flow/2.3/flow.jar": "flow 2.3",
		"/apps/flow/2.3/lib/*":                             "flow 2.3",
		"/home/u/flow-2.3.jar":                             "flow 2.3",
		"/apps/flow/2.3/a.jar:/home/u/mine.jar":            "Java ",
		"/apps/flow/2.3/a.jar:/apps/other/1.0/b.jar":       "Java ",
		"/home/u/commons-2.6.jar:/home/u/mine.jar":         "Java ",
		".": "Java ",
	} {
		got := m.Identify(context.Background(), process("/usr/bin/java", "java", "-cp", classes, "com.x.Main"))
		if have := got.Name + " " + got.Version; have != want {
			t.Errorf("%s: %q by %s, want %q", classes, have, got.Evidence, want)
		}
	}
}
