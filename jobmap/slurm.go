package jobmap

import (
	"bytes"
	"strings"

	"procmon"
)

// slurmScheduler is Slurm (schedmd.com).
var slurmScheduler = scheduler{
	name: "slurm", controllers: []string{"freezer", "memory", "devices", "cpuset", "cpuacct", ""},
	cgroup: slurmCgroup, title: slurmTitle, environ: slurmEnviron, step: slurmStep, isID: digits[string],
	daemon: slurmDaemon, submits: slurmSubmits,
}

// slurmCgroup reads the paths of Slurm's cgroup plugins
// (src/plugins/cgroup/v1/xcgroup.c and v2/cgroup_v2.c up to 26.05):
//
//	v1  /slurm[_NODE]/uid_U/job_J/step_S[/task_T]
//	v2  /SLICE/[NODE_]slurmstepd.scope/{job_J|SLUID}/step_S/{user[/task_T]|slurm}
//
// On v1 the directories from step_S down belong to the user, who can make more
// of them, so only the first job counts.
func slurmCgroup(l cgroupLine, s *siteRules) claim {
	if l.v2 {
		return slurmV2(l, s.slice)
	}
	return slurmV1(l)
}

func slurmV1(l cgroupLine) (cl claim) {
	if l.top != "slurm" && !strings.HasPrefix(l.top, "slurm_") {
		return claim{}
	}
	owner, rest := component(l.rest)
	uid, isUID := strings.CutPrefix(owner, "uid_")
	if !isUID {
		return claim{}
	}
	if cl.uid, cl.hasUID = parseUID(uid); !cl.hasUID {
		return claim{}
	}
	job, rest := component(rest)
	id, isJob := strings.CutPrefix(job, "job_")
	if !isJob || !digits(id) {
		return claim{}
	}
	cl.rawID = id
	step, rest := component(rest)
	cl.step = slurmStepDir(step)
	if task, _ := component(rest); cl.step != "" && cl.step != stepExtern {
		cl.task = slurmTaskDir(task)
	}
	return cl
}

func slurmV2(l cgroupLine, slice string) (cl claim) {
	rest := slurmScope(l, slice)
	dir, rest := component(rest)
	if id, ok := strings.CutPrefix(dir, "job_"); ok && digits(id) {
		cl.rawID = id
	} else if isSLUID(dir) {
		cl.sluid = dir
	} else {
		return claim{}
	}
	step, rest := component(rest)
	cl.step = slurmStepDir(step)
	side, rest := component(rest)
	if task, _ := component(rest); cl.step != "" && cl.step != stepExtern && side == "user" {
		cl.task = slurmTaskDir(task)
	}
	return cl
}

// slurmScope cuts the path up to and including slurmstepd's scope off, and
// gives "" when it lies anywhere else than root puts it: in a slice at the
// top, in the configured one, or, seen from another cgroup namespace, beside
// it. Below user@UID.service anybody can make directories of any name.
func slurmScope(l cgroupLine, slice string) string {
	if rest, ok := strings.CutPrefix(l.path, slice); ok && slice != "" {
		if scope, rest := component(rest); isSlurmScope(scope) {
			return rest
		}
	}
	if l.up && isSlurmScope(l.top) {
		return l.rest
	}
	if !strings.HasSuffix(l.top, ".slice") {
		return ""
	}
	if scope, rest := component(l.rest); isSlurmScope(scope) {
		return rest
	}
	return ""
}

func isSlurmScope(name string) bool {
	return name == "slurmstepd.scope" || strings.HasSuffix(name, "_slurmstepd.scope")
}

// slicePath is the cgroup path of a slice: systemd puts a-b.slice into
// a.slice (systemd.slice(5)). A path is taken as it is.
func slicePath(slice string) string {
	if slice == "" || slice[0] == '/' {
		return strings.TrimRight(slice, "/")
	}
	var path strings.Builder
	for i := range len(slice) {
		if slice[i] == '-' {
			path.WriteString("/" + slice[:i] + ".slice")
		}
	}
	return path.String() + "/" + strings.TrimSuffix(slice, ".slice") + ".slice"
}

// isSLUID says whether a directory is named by a SLUID: "s" and 13 digits of
// Crockford's base 32 (src/common/sluid.c, Slurm 26.05).
func isSLUID[T string | []byte](name T) bool {
	if len(name) != 14 || name[0] != 's' {
		return false
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		isDigit, isLetter := c >= '0' && c <= '9', c >= 'A' && c <= 'Z'
		if !isDigit && (!isLetter || c == 'I' || c == 'L' || c == 'O' || c == 'U') {
			return false
		}
	}
	return true
}

func slurmTaskDir(dir string) string {
	if n, ok := strings.CutPrefix(dir, "task_"); ok && digits(n) {
		return n
	}
	return ""
}

// Names of steps (log_build_step_id_str in src/common/log.c).
const (
	stepBatch       = "batch"
	stepExtern      = "extern"
	stepInteractive = "interactive"
	stepPending     = "TBD"
)

func slurmStepDir(dir string) string {
	name, ok := strings.CutPrefix(dir, "step_")
	if !ok {
		return ""
	}
	return slurmStep(name)
}

// slurmStep gives a step the name that users know, "" when it is none. Numbers
// from the top of 32 bits stand for the named ones: those of slurm.h since
// 20.11, before that 4294967294 for batch and 4294967295 for extern. The
// environment of 26.05 has them as negative numbers.
func slurmStep(name string) string {
	switch name {
	case stepBatch, stepExtern, stepInteractive, stepPending:
		return name
	case "-5", "4294967291", "4294967294":
		return stepBatch
	case "-4", "4294967292", "4294967295":
		return stepExtern
	case "-6", "4294967290":
		return stepInteractive
	case "-3", "4294967293":
		return stepPending
	}
	number, component, het := strings.Cut(name, "+")
	if !digits(number) || het && !digits(component) {
		return ""
	}
	return name
}

// slurmTitle reads the title of a slurmstepd, "slurmstepd: [JOB.STEP]". It is
// written over the daemon's first arguments, so it can be cut short, with
// remains of them behind it: "slurmstepd: [13.ex d".
func slurmTitle(a *procmon.Ancestor, known claim) (cl claim) {
	if a.UID != 0 || a.Comm != "slurmstepd" || !isSlurmstepd(a.Exe) {
		return claim{}
	}
	title, ok := bytes.CutPrefix(a.Args, []byte("slurmstepd: ["))
	if !ok {
		return claim{}
	}
	id, step, complete := bytes.Cut(title[:min(len(title), 64)], []byte{'.'})
	if !complete || !digits(id) {
		return claim{}
	}
	cl.rawID = text(id, known.rawID)
	if name, _, ok := bytes.Cut(step, []byte{']'}); ok {
		cl.step = slurmStep(text(name, known.step))
		return cl
	}
	for _, name := range [...]string{stepBatch, stepExtern, stepInteractive, stepPending} {
		if len(step) > 1 && string(step[:2]) == name[:2] {
			cl.step = name
		}
	}
	return cl
}

// isSlurmstepd takes an unknown executable for the daemon: the real user id
// and the name are root's already. Debian calls it slurmstepd-wlm.
func isSlurmstepd(exe string) bool {
	name := base(exe)
	return name == "" || name == "slurmstepd" || name == "slurmstepd-wlm"
}

// slurmDaemon says whether root's process in a job is Slurm's: the step's
// daemon, or what stands in the extern step (its placeholder, sshd's monitor).
func slurmDaemon(p *procmon.Process, c claim) bool {
	return p.UID == 0 && (c.step == stepExtern || p.Comm == "slurmstepd" && isSlurmstepd(p.Exe))
}

// slurmSubmits names the clients that hold an allocation or wait for a step.
func slurmSubmits(comm, exe string) bool {
	for _, name := range [...]string{base(exe), comm} {
		switch name {
		case "salloc", "srun", "sbatch":
			return true
		}
	}
	return false
}
