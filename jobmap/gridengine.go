package jobmap

import (
	"bytes"
	"strings"

	"procmon"
)

// gridengineScheduler is the Grid Engine family: OCS and GCS, and by
// environment and shepherd its relatives.
var gridengineScheduler = scheduler{
	name: "gridengine", controllers: []string{"name=systemd", "memory", "cpuset", "cpuacct", ""},
	cgroup: gridengineCgroup, title: gridengineTitle, environ: gridengineEnviron,
	isID: isGridengineID[string], parts: gridengineParts, indexed: [2]string{".", ""},
}

// gridengineCgroup reads the scopes that execd of OCS 9 makes by systemd
// (source/libs/sgeobj/ocs_Job.cc), where TOP is the cell's slice name:
//
//	job              /TOP.slice/TOP-jobs.slice/TOP.JOB.scope
//	task of an array /TOP.slice/TOP-jobs.slice/TOP.JOB.TASK.scope
//	parallel, tight  /TOP.slice/TOP-jobs.slice/TOP-jobs-JOB[.TASK].slice/TOP.JOB[.TASK].master.scope
//	                 and its tasks on other hosts, TOP.JOB-NUM.HOST.scope or TOP.JOB.TASK.NUM.HOST.scope
//
// The inner slice tells job and task alone, so that no NUM is taken for a task.
func gridengineCgroup(l cgroupLine, _ *siteRules) claim {
	top, ok := strings.CutSuffix(l.top, ".slice")
	if !ok || top == "" {
		return claim{}
	}
	dir, rest := component(l.rest)
	if jobs, ok := strings.CutPrefix(dir, top); !ok || jobs != "-jobs.slice" {
		return claim{}
	}
	unit, rest := component(rest)
	if id, ok := gridengineUnit(unit, top, "-jobs-", ".slice"); ok {
		if scope, _ := component(rest); strings.HasSuffix(scope, ".scope") {
			return gridengineClaim(id)
		}
		return claim{}
	}
	id, _ := gridengineUnit(unit, top, ".", ".scope")
	return gridengineClaim(id)
}

// gridengineUnit takes the id out of a unit's name: TOP, a mark, the id, and
// the unit's type.
func gridengineUnit(unit, top, mark, kind string) (id string, ok bool) {
	if id, ok = strings.CutPrefix(unit, top); !ok {
		return "", false
	}
	if id, ok = strings.CutPrefix(id, mark); !ok {
		return "", false
	}
	return strings.CutSuffix(id, kind)
}

func gridengineClaim(id string) claim {
	if !isGridengineID(id) {
		return claim{}
	}
	return claim{rawID: id}
}

// isGridengineID says whether id is JOB or JOB.TASK, both numbers.
func isGridengineID[T string | []byte](id T) bool {
	end := number(id, 0)
	if !digits(id[:end]) {
		return false
	}
	return end == len(id) || id[end] == '.' && digits(id[end+1:])
}

// gridengineParts takes apart JOB.TASK, which users say as it is.
func gridengineParts(rawID string) (id, array, index string) {
	if job, task, ok := strings.Cut(rawID, "."); ok {
		return rawID, job, task
	}
	return rawID, "", ""
}

// gridengineTitle reads the name of a shepherd, "sge_shepherd-JOB"
// (source/daemons/execd/exec_job.cc). Of an array it does not tell the task.
func gridengineTitle(a *procmon.Ancestor, known claim) claim {
	if a.UID != 0 || a.Comm != "sge_shepherd" || !(a.Exe == "" || base(a.Exe) == "sge_shepherd") {
		return claim{}
	}
	argv0, _, _ := bytes.Cut(a.Args, []byte{0})
	argv0 = argv0[bytes.LastIndexByte(argv0, '/')+1:]
	id, ok := bytes.CutPrefix(argv0, []byte("sge_shepherd-"))
	if i := bytes.IndexByte(id, ' '); i >= 0 {
		id = id[:i]
	}
	if !ok || !digits(id) {
		return claim{}
	}
	return claim{rawID: text(id, known.rawID)}
}

// gridengineEnviron reads the variables of a job (exec_job.cc). JOB_ID and
// QUEUE are names that anybody may use: they count beside SGE_ROOT or SGE_CELL
// only.
func gridengineEnviron(env []byte, rawID string) (e envClaim) {
	var job, task []byte
	context := false
	for len(env) > 0 {
		var name, value []byte
		name, value, env = variable(env)
		switch string(name) {
		case "JOB_ID":
			first(&job, value)
		case "JOB_NAME":
			first(&e.name, value)
		case "QUEUE":
			first(&e.queue, value)
		case "SGE_TASK_ID":
			first(&task, value)
		case "SGE_ACCOUNT":
			first(&e.account, value)
		case "SGE_ROOT", "SGE_CELL":
			context = true
		}
	}
	if !digits(job) || !context && rawID == "" {
		return envClaim{}
	}
	e.id = job
	if digits(task) { // "undefined" when it is no array
		e.id = joined(job, ".", task, "")
	}
	return e
}

// joined puts an id and its index together.
func joined(id []byte, before string, index []byte, behind string) []byte {
	return bytes.Join([][]byte{id, []byte(before), index, []byte(behind)}, nil)
}
