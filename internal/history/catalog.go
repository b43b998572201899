package history

import (
	"fmt"
	"strings"
	"time"

	"procmon"
)

// software is one application of the catalogue.
type software struct {
	name     string
	kind     procmon.AppKind
	versions string // in the order of their releases
	exe      string // its base name
	evidence string // of its path: easybuild, spack, dpkg
	median   time.Duration
	sigma    float64
	rss      uint64 // bytes, typical
}

const (
	ms = time.Millisecond
	mb = uint64(1 << 20)
	gb = uint64(1 << 30)
)

// applications are what jobs are submitted for, the most popular first.
var applications = []software{
	{"Python", procmon.KindInterpreter, "3.8.2 3.9.6 3.10.8 3.11.3 3.11.5 3.12.3", "python3", "easybuild", 20 * time.Second, 2.2, 300 * mb},
	{"GROMACS", procmon.KindApplication, "2021.5 2022.5 2023.3 2024.1 2024.4", "gmx_mpi", "easybuild", 30 * time.Minute, 1.6, gb},
	{"R", procmon.KindInterpreter, "3.6.3 4.1.2 4.2.1 4.3.3 4.4.1", "R", "easybuild", 90 * time.Second, 2, 600 * mb},
	{"VASP", procmon.KindApplication, "5.4.4 6.3.2 6.4.2 6.4.3", "vasp_std", "easybuild", time.Hour, 1.5, 2 * gb},
	{"LAMMPS", procmon.KindApplication, "2Aug2023 2Aug2023_update2 29Aug2024", "lmp", "spack", 40 * time.Minute, 1.4, 700 * mb},
	{"OpenFOAM", procmon.KindApplication, "v2206 v2306 v2312 v2406", "simpleFoam", "easybuild", time.Hour, 1.5, gb},
	{"MATLAB", procmon.KindInterpreter, "R2021b R2022b R2023a R2024a", "MATLAB", "easybuild", 4 * time.Minute, 1.8, 2 * gb},
	{"BLAST+", procmon.KindApplication, "2.12.0 2.14.1 2.15.0 2.16.0", "blastn", "spack", 40 * time.Second, 1.7, 900 * mb},
	{"SAMtools", procmon.KindApplication, "1.16.1 1.18 1.20 1.21", "samtools", "spack", 15 * time.Second, 1.6, 200 * mb},
	{"BWA", procmon.KindApplication, "0.7.17 0.7.18", "bwa", "spack", 5 * time.Minute, 1.3, 6 * gb},
	{"Quantum ESPRESSO", procmon.KindApplication, "6.8 7.1 7.2 7.3.1", "pw.x", "easybuild", 35 * time.Minute, 1.5, gb},
	{"ORCA", procmon.KindApplication, "5.0.3 5.0.4 6.0.0 6.0.1", "orca", "easybuild", 50 * time.Minute, 1.7, gb},
	{"Gaussian", procmon.KindApplication, "g16.A.03 g16.C.01 g16.C.02", "g16", "easybuild", 2 * time.Hour, 1.4, 4 * gb},
	{"WRF", procmon.KindApplication, "4.2.2 4.4 4.5.1", "wrf.exe", "easybuild", time.Hour, 1, 2 * gb},
	{"Nextflow", procmon.KindLauncher, "22.10.6 23.10.1 24.04.4", "nextflow", "spack", 10 * time.Minute, 1.5, 800 * mb},
	{"CP2K", procmon.KindApplication, "8.2 9.1 2023.1 2024.1", "cp2k.psmp", "easybuild", 45 * time.Minute, 1.4, 2 * gb},
	{"STAR", procmon.KindApplication, "2.7.9a 2.7.10b 2.7.11b", "STAR", "spack", 12 * time.Minute, 1, 30 * gb},
	{"NAMD", procmon.KindApplication, "2.14 3.0", "namd3", "easybuild", time.Hour, 1.2, gb},
	{"Abaqus", procmon.KindApplication, "2021 2022 2023 2024", "standard", "easybuild", 30 * time.Minute, 1.5, 8 * gb},
	{"ANSYS Fluent", procmon.KindApplication, "22R1 23R1 23R2 24R1", "fluent_mpi", "easybuild", 50 * time.Minute, 1.5, 3 * gb},
	{"Julia", procmon.KindInterpreter, "1.8.5 1.9.3 1.10.4 1.11.1", "julia", "easybuild", 2 * time.Minute, 1.8, 900 * mb},
	{"AlphaFold", procmon.KindScript, "2.3.1 2.3.2 3.0.0", "python3", "easybuild", time.Hour, 1, 12 * gb},
	{"GATK", procmon.KindApplication, "4.2.6.1 4.4.0.0 4.5.0.0", "java", "spack", 6 * time.Minute, 1.2, 4 * gb},
	{"FreeSurfer", procmon.KindApplication, "7.2.0 7.4.1", "recon-all", "easybuild", 3 * time.Minute, 1.5, 2 * gb},
	{"COMSOL", procmon.KindApplication, "6.0 6.1 6.2", "comsol", "easybuild", 30 * time.Minute, 1.6, 10 * gb},
}

// tools stand around them in every job, the most frequent first.
var tools = []software{
	{"bash", procmon.KindShell, "5.2", "bash", "dpkg", 40 * ms, 2.4, 4 * mb},
	{"sed", procmon.KindSystem, "4.9", "sed", "dpkg", 2 * ms, 0.6, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "cat", "dpkg", 2 * ms, 0.8, 2 * mb},
	{"grep", procmon.KindSystem, "3.8", "grep", "dpkg", 2 * ms, 0.9, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "cp", "dpkg", 4 * ms, 1.8, 2 * mb},
	{"mawk", procmon.KindSystem, "1.3.4", "mawk", "dpkg", 3 * ms, 1.2, 3 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "mkdir", "dpkg", 1 * ms, 0.4, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "ls", "dpkg", 1 * ms, 0.6, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "rm", "dpkg", 2 * ms, 1.4, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "date", "dpkg", 1 * ms, 0.3, 2 * mb},
	{"gzip", procmon.KindSystem, "1.12", "gzip", "dpkg", 80 * ms, 2, 2 * mb},
	{"coreutils", procmon.KindSystem, "9.1", "sleep", "dpkg", 2 * time.Second, 1.2, 2 * mb},
	{"tar", procmon.KindSystem, "1.34", "tar", "dpkg", 90 * ms, 1.8, 3 * mb},
	{"Perl", procmon.KindInterpreter, "5.36.0", "perl", "dpkg", 20 * ms, 1.5, 10 * mb},
	{"Lmod", procmon.KindSystem, "8.7", "lmod", "easybuild", 60 * ms, 0.5, 12 * mb},
	{"rsync", procmon.KindSystem, "3.2.7", "rsync", "dpkg", 300 * ms, 2.2, 6 * mb},
}

// builders are what a build runs.
var builders = []software{
	{"GCC", procmon.KindCompiler, "11.3.0 12.3.0 13.2.0", "cc1plus", "easybuild", 700 * ms, 1.1, 150 * mb},
	{"GCC", procmon.KindCompiler, "11.3.0 12.3.0 13.2.0", "g++", "easybuild", 750 * ms, 1.1, 6 * mb},
	{"binutils", procmon.KindCompiler, "2.40", "as", "easybuild", 30 * ms, 0.8, 20 * mb},
	{"make", procmon.KindLauncher, "4.3", "make", "dpkg", 900 * ms, 1.5, 5 * mb},
	{"CMake", procmon.KindLauncher, "3.26.3", "cmake", "easybuild", 50 * ms, 1, 30 * mb},
	{"binutils", procmon.KindCompiler, "2.40", "ld", "easybuild", 90 * ms, 1, 60 * mb},
}

// launchers start the ranks of MPI jobs.
var launchers = []software{
	{"Slurm", procmon.KindLauncher, "23.11", "srun", "dpkg", 20 * time.Minute, 1.5, 12 * mb},
	{"Open MPI", procmon.KindLauncher, "4.1.4 4.1.6", "mpirun", "easybuild", 20 * time.Minute, 1.5, 12 * mb},
}

// program is one version of a software, or a user's own program.
type program struct {
	*software
	app   procmon.Application
	exe   string
	lines [][]byte // common command lines
}

// release makes the program of a version.
func release(s *software, version string) *program {
	p := &program{software: s, app: procmon.Application{Name: s.name, Version: version, Kind: s.kind, Evidence: s.evidence, Rules: "1"}}
	dir := strings.ReplaceAll(strings.TrimSuffix(s.name, "+"), " ", "-")
	switch s.evidence {
	case "easybuild":
		p.app.Package = fmt.Sprintf("%s/%s-foss-2023a", dir, version)
		p.exe = "/apps/software/" + p.app.Package + "/bin/" + s.exe
	case "spack":
		p.app.Package = strings.ToLower(dir) + "@" + version
		p.exe = fmt.Sprintf("/opt/spack/linux-debian12-x86_64_v3/gcc-12.2.0/%s-%s-%s/bin/%s", strings.ToLower(dir), version, "k5jg2x4w7q3mzv", s.exe)
	default:
		p.app.Package = strings.ToLower(dir) + " " + version + "-1"
		p.exe = "/usr/bin/" + s.exe
	}
	return p
}

// releases makes all versions of all of a list.
func releases(list []software) [][]*program {
	all := make([][]*program, len(list))
	for i := range list {
		for v := range strings.FieldsSeq(list[i].versions) {
			all[i] = append(all[i], release(&list[i], v))
		}
	}
	return all
}
