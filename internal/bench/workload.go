package main

import (
	"fmt"
	"strings"
)

// workload is a way to start programs.
type workload struct {
	name  string
	about string
	// execs is how many programs are started whose arguments are known.
	execs int
	// each is how many execs the machine makes for one of them.
	each     int
	program  program
	spawners int
	rate     int // programs a second, all spawners together; 0: as fast as it goes
	jobs     int // of make
}

// program is what a workload starts.
type program int

const (
	nothing program = iota // the idle node
	dynamic                // /bin/true, which the dynamic linker starts
	static                 // a program of a few instructions
	build                  // make, which starts compilers
)

// spawnerName is how the spawners' own runs are told from the workload's.
const spawnerName = "procmon-spawner"

// workloads are all that there are, in the order in which they are run.
func workloads() []workload {
	return []workload{
		{name: "true", about: "/bin/true, one after another", execs: 3000, each: 1, program: dynamic, spawners: 1},
		{name: "static", about: "a static program of a few instructions, one after another", execs: 15000, each: 1, program: static, spawners: 1},
		{name: "true-16", about: "/bin/true, 16 at once", execs: 4000, each: 1, program: dynamic, spawners: 16},
		{name: "static-16", about: "a static program of a few instructions, 16 at once", execs: 16000, each: 1, program: static, spawners: 16},
		{name: "paced", about: "/bin/true, 1,000 a second", execs: 3000, each: 1, program: dynamic, spawners: 4, rate: 1000},
		{name: "make-j1", about: "make -j1 of C files", execs: 100, each: compilerExecs, program: build, jobs: 1},
		{name: "make-j2", about: "make -j2 of C files", execs: 100, each: compilerExecs, program: build, jobs: 2},
		{name: "idle", about: "nothing is started", program: nothing},
	}
}

// scaled is the workload with n programs, or with its own number for 0. A build
// does not grow: one compiler run takes as long as a hundred short programs.
func (w workload) scaled(n int) workload {
	switch {
	case n == 0 || w.program == nothing:
	case w.program == build:
		w.execs = min(n, w.execs)
	default:
		w.execs = max(n/w.spawners, 1) * w.spawners
	}
	return w
}

// known finds the workloads of a comma-separated list; "" means all.
func known(list string) ([]workload, error) {
	all := workloads()
	if list == "" {
		return all, nil
	}
	var found []workload
	for name := range strings.SplitSeq(list, ",") {
		n := len(found)
		for _, w := range all {
			if w.name == name {
				found = append(found, w)
			}
		}
		if len(found) == n {
			names := make([]string, len(all))
			for i, w := range all {
				names[i] = w.name
			}
			return nil, fmt.Errorf("no workload %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	return found, nil
}

// argument is what tells one run from all others, those of another benchmark
// too, which has another tag. It is long enough to show a cut.
func argument(tag string, i int) string {
	return fmt.Sprintf("--run=%s-%07d-%s", tag, i, strings.Repeat("x", 40))
}

// environment is that of a job: 25 variables, as a batch script has them.
func environment(job string) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", "SHELL=/bin/bash", "LANG=C.UTF-8", "USER=nobody", "LOGNAME=nobody", "TMPDIR=/tmp", "PWD=/",
		"OMP_NUM_THREADS=1", "LOADEDMODULES=GCCcore/12.3.0:GROMACS/2023.3-foss-2023a", "MODULEPATH=/apps/modules/all", "EBROOTGROMACS=/apps/software/GROMACS/2023.3-foss-2023a",
		"SLURM_JOB_ID=" + job, "SLURM_JOBID=" + job, "SLURM_JOB_NAME=bench", "SLURM_JOB_USER=nobody", "SLURM_JOB_ACCOUNT=bench", "SLURM_JOB_PARTITION=batch",
		"SLURM_JOB_NODELIST=localhost", "SLURM_JOB_NUM_NODES=1", "SLURM_CLUSTER_NAME=bench", "SLURM_PROCID=0", "SLURM_STEPID=0", "SLURM_NTASKS=1", "SLURM_CPUS_ON_NODE=2",
	}
}
