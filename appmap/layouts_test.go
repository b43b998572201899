package appmap

import (
	"path"
	"strings"
	"testing"
)

func TestPlainTrees(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ name, file, app, version, evidence string }{
		{"name and version", "/apps/foo/1.2/bin/x", "foo", "1.2", "layout"},
		{"name-version", "/opt/foo-1.2/bin/x", "foo", "1.2", "layout"},
		{"exe at the root", "/usr/local/apps/bwa-0.7.17/bwa", "bwa", "0.7.17", "layout"},
		{"innermost wins", "/apps/foo/1.2/plugins/bar/3.4/bin/x", "bar", "3.4", "layout"},
		{"compiler above", "/apps/gcc/12.2.0/foo/1.2/bin/x", "foo", "1.2", "layout"},
		{"compiler below", "/apps/foo/1.2/gcc/12.2.0/bin/x", "foo", "1.2", "layout"},
		{"compiler and MPI below", "/apps/foo/1.2/gcc-12.2.0/openmpi-4.1.5/bin/x", "foo", "1.2", "layout"},
		{"the compiler itself", "/apps/gcc/12.2.0/bin/gcc", "gcc", "12.2.0", "layout"},
		{"a compiler's own tool below MPI", "/apps/gcc/12.2.0/libexec/tool", "gcc", "12.2.0", "layout"},
		{"processor between", "/apps/foo/zen3/1.2/bin/x", "foo", "1.2", "layout"},
		{"toolchain", "/x/foo/1.2-foss-2023a/bin/x", "foo", "1.2", "easybuild"},
		{"stack version", "/cvmfs/software.eessi.io/versions/2023.06/software/linux/x86_64/generic/software/Foo/1.2/bin/x", "Foo", "1.2", "easybuild"},
		{"v in a version", "/apps/foo/v1.2/bin/x", "foo", "1.2", "layout"},
		{"libexec", "/usr/libexec/foo/7.3.0/exec/x", "foo", "7.3.0", "layout"},
		{"home, known", "/home/u/gromacs-2021.4/build/bin/gmx", "gromacs", "2021.4", "layout"},
		{"home, related", "/home/u/mytool-1.2/mytool", "mytool", "1.2", "layout"},
		{"home, own software", "/home/u/software/foo/1.2/bin/x", "foo", "1.2", "layout"},
		{"home, unrelated", "/home/u/foo-1.2/x", "", "", ""},
		{"home, numbered run", "/home/u/foo-2/foo", "", "", ""},
		{"scratch, results of a known one", "/scratch/u/lammps-2023/analysis/fit", "", "", ""},
		{"no version", "/apps/foo/bin/x", "", "", ""},
		{"version without a name", "/apps/1.2/bin/x", "", "", ""},
		{"hidden directory", "/apps/.foo/1.2/bin/x", "", "", ""},
		{"conda environment", "/opt/conda/envs/qiime2-2022.8/bin/x", "", "", ""},
		{"platform", "/apps/linux-x86_64/bin/x", "", "", ""},
		{"root", "/x", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, ok := c.plain(tt.file, path.Base(tt.file))
			if ok != (tt.app != "") || f.name != tt.app || f.version != tt.version || f.evidence != tt.evidence {
				t.Errorf("%s: got %q %q by %q, want %q %q by %q", tt.file, f.name, f.version, f.evidence, tt.app, tt.version, tt.evidence)
			}
		})
	}
}

func TestStores(t *testing.T) {
	c := testCatalog(t)
	const hash = "nx5lzmxlzp83r313489nc9wgyn1hq7hk"
	tests := []struct{ file, name, version, evidence string }{
		{"/nix/store/" + hash + "-bwa-0.7.17/bin/bwa", "bwa", "0.7.17", "nix"},
		{"/nix/store/" + hash + "-python3.11-deeptools-3.5.1/bin/x", "deeptools", "3.5.1", "nix"},
		{"/nix/store/" + hash + "-openmpi-4.1.6-man/bin/x", "openmpi", "4.1.6", "nix"},
		{"/nix/store/" + hash + "-script/bin/x", "script", "", "nix"},
		{"/gnu/store/" + hash + "-octave-8.3.0/bin/octave", "octave", "8.3.0", "guix"},
		{"/nix/store/short-bwa-0.7.17/bin/bwa", "", "", ""},
		{"/home/nix/store/" + hash + "-bwa-0.7.17/bin/bwa", "", "", ""},
	}
	for _, tt := range tests {
		if f, _ := c.store(tt.file); f.name != tt.name || f.version != tt.version || f.evidence != tt.evidence {
			t.Errorf("%s: got %q %q by %q", tt.file, f.name, f.version, f.evidence)
		}
	}
}

func TestSpackPaths(t *testing.T) {
	c := testCatalog(t)
	const hash = "xv6njv2w2ur2h6e6nefwatih2w65cgbm"
	tests := []struct{ dir, name, version string }{
		{"/opt/spack/linux-rhel8-zen2/aocc-3.2.0/nwchem-7.0.2-" + hash, "nwchem", "7.0.2"},
		{"/opt/spack/linux-zen3/intel-oneapi-mpi-2021.11.0-" + hash, "intel-oneapi-mpi", "2021.11.0"},
		{"/opt/spack/linux-zen3/llvm-17.0.6-rc1-" + hash, "llvm", "17.0.6-rc1"},
		{"/opt/spack/linux-zen3/foo-develop-" + hash, "foo", "develop"},
		{"/sw/spack/linux-zen3/foo-1.2-xv6njv2", "foo", "1.2"},
		{"/sw/other/linux-zen3/foo-1.2-xv6njv2", "", ""},
		{"/opt/spack/linux-zen3/foo-1.2-" + strings.ToUpper(hash), "", ""},
		{"/opt/spack/linux-zen3/foo-" + hash, "", ""},
	}
	for _, tt := range tests {
		if f, _ := c.spackPath(tt.dir + "/bin/x"); f.name != tt.name || f.version != tt.version {
			t.Errorf("%s: got %q %q, want %q %q", tt.dir, f.name, f.version, tt.name, tt.version)
		}
	}
}

func TestVendorTrees(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ file, name, version string }{
		{"/opt/ansys_inc/v222/ansys/bin/ansys.e", "Ansys", "2022R2"},
		{"/opt/ansys_inc/v222/fluent/bin/fluent", "Ansys Fluent", "2022R2"},
		{"/opt/gurobi1001/linux64/bin/gurobi_cl", "Gurobi", "10.0.1"},
		{"/opt/gurobi952/linux64/bin/gurobi_cl", "Gurobi", "9.5.2"},
		{"/usr/local/MATLAB/R2023a/bin/glnxa64/MATLAB", "MATLAB", "R2023a"},
		{"/opt/nvidia/hpc_sdk/Linux_x86_64/23.9/compilers/bin/nvc", "NVIDIA HPC SDK", "23.9"},
		{"/usr/local/cuda-12.2/bin/nvcc", "CUDA", "12.2"},
		{"/opt/AMD/aocc-compiler-4.0.0/bin/clang", "AOCC", "4.0.0"},
		{"/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "Java", "17"},
		{"/opt/notgurobi1001/bin/x", "", ""},
		{"/opt/cuda/bin/nvcc", "", ""},
	}
	for _, tt := range tests {
		if f, _ := c.vendor(tt.file); f.name != tt.name || f.version != tt.version {
			t.Errorf("%s: got %q %q, want %q %q", tt.file, f.name, f.version, tt.name, tt.version)
		}
	}
}

func TestModules(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ name, file, env, app, version, evidence string }{
		{"EasyBuild", "/e/Foo/2.0-odd/bin/x", "EBROOTFOO=/e/Foo/2.0-odd EBVERSIONFOO=2.0", "Foo", "2.0", "easybuild"},
		{"EasyBuild, a version that is not the tree's", "/e/Foo/2.0-odd/bin/x", "EBROOTFOO=/e/Foo/2.0-odd EBVERSIONFOO=9.9", "Foo", "2.0", "easybuild"},
		{"innermost tree", "/e/A/1.0/B/2.0/x", "EBROOTA=/e/A/1.0 EBROOTB=/e/A/1.0/B/2.0", "B", "2.0", "easybuild"},
		{"loaded", "/odd/foo/1.2/x", "LOADEDMODULES=gcc/12:bio/foo/1.2", "foo", "1.2", "module"},
		{"loaded, with a dash", "/odd/foo-1.2/x", "LOADEDMODULES=foo/1.2", "foo", "1.2", "module"},
		{"loaded, other version", "/odd/foo/1.3/x", "LOADEDMODULES=foo/1.2", "", "", ""},
		{"loaded, elsewhere", "/home/u/x", "LOADEDMODULES=foo/1.2 EBROOTFOO=/e/foo/1.2", "", "", ""},
		{"half a directory", "/odd/myfoo/1.2/x", "LOADEDMODULES=foo/1.2", "", "", ""},
		{"its file tells the name", "/odd/foo/1.2/x", "LOADEDMODULES=1.2 _LMFILES_=/odd/foo/modulefiles/1.2.lua", "foo", "1.2", "module"},
		{"its file tells both", "/odd/foo-1.2/x", "LOADEDMODULES=bar _LMFILES_=/a/modulefiles/gcc-12/foo/1.2", "foo", "1.2", "module"},
		{"its file lies in the tree", "/home/u/foo/1.2/x", "LOADEDMODULES=bar _LMFILES_=/home/u/foo/1.2/modulefiles/bar.lua", "foo", "1.2", "module"},
		{"its file lies in the tree, with a dash", "/home/u/foo-1.2/b/x", "LOADEDMODULES=bar _LMFILES_=/home/u/foo-1.2/bar", "foo", "1.2", "module"},
		{"its file lies in another tree", "/home/u/foo/1.2/x", "LOADEDMODULES=bar _LMFILES_=/home/v/foo/1.2/bar", "", "", ""},
		{"its file tells another version", "/odd/foo/1.3/x", "LOADEDMODULES=1.2 _LMFILES_=/odd/foo/modulefiles/1.2.lua", "", "", ""},
		{"no files", "/odd/foo/1.2/x", "LOADEDMODULES=: _LMFILES_=::/:/.lua:.lua:1.2", "", "", ""},
		{"a root that is no tree", "/e/x", "EBROOTX=/ EBROOTY=/e EBROOT=/e", "", "", ""},
		{"nothing", "/e/x", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var env environ
			for _, v := range strings.Fields(tt.env) {
				name, value, _ := strings.Cut(v, "=")
				env.names, env.values = append(env.names, name), append(env.values, value)
			}
			f, ok := c.module(tt.file, &env)
			if ok != (tt.app != "") || f.name != tt.app || f.version != tt.version || f.evidence != tt.evidence {
				t.Errorf("got %q %q by %q", f.name, f.version, f.evidence)
			}
		})
	}
}

func TestImages(t *testing.T) {
	c := testCatalog(t)
	tests := []struct{ image, app, want string }{
		{"/cvmfs/x/bedtools:2.30.0--h468198e_3", "BEDTools", "2.30.0"},
		{"/img/samtools-1.17.sif", "SAMtools", "1.17"},
		{"docker://quay.io/biocontainers/bedtools:2.30.0", "BEDTools", "2.30.0"},
		{"/img/ubuntu-22.04.sif", "SAMtools", ""},
		{"/img/nwchem-700.sif", "NWChem", ""},
		{"/img/julia-ubuntu_22.04.sif", "Julia", ""},
		{"", "Julia", ""},
	}
	for _, tt := range tests {
		f := finding{name: tt.app, entry: c.pkg(tt.app)}
		if got := c.imageVersion(tt.image, &f); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.image, tt.app, got, tt.want)
		}
	}
}
