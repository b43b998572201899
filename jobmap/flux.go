package jobmap

import (
	"bytes"
	"strings"

	"procmon"
)

// fluxScheduler is Flux (flux-framework.org). A job is that of the outermost
// instance, which the site's accounting knows; jobs of instances inside it are
// its steps.
var fluxScheduler = scheduler{
	name: "flux", controllers: []string{"", "name=systemd"},
	cgroup: fluxCgroup, environ: fluxEnviron, isID: isF58[string], parts: fluxParts, daemon: fluxDaemon,
}

// fluxCgroup reads the path of a unit that Flux has the systemd of its own user
// make (exec.service=sdexec; src/modules/job-exec/bulk-exec.c):
//
//	/user.slice/user-UID.slice/user@UID.service/[app.slice/][imp-]shell-RANK-F58.service
//
// In their own manager users can make units of any name, so UID must be a
// system user's.
func fluxCgroup(l cgroupLine, s *siteRules) claim {
	if l.top != "user.slice" {
		return claim{}
	}
	dir, rest := component(l.rest)
	name, ok := cutBoth(dir, "user-", ".slice")
	if !ok {
		return claim{}
	}
	uid, ok := parseUID(name)
	if !ok || uid >= s.minUID {
		return claim{}
	}
	dir, rest = component(rest)
	if manager, ok := cutBoth(dir, "user@", ".service"); !ok || manager != name {
		return claim{}
	}
	unit, rest := component(rest)
	if unit == "app.slice" {
		unit, _ = component(rest)
	}
	unit = strings.TrimPrefix(unit, "imp-")
	unit, ok = cutBoth(unit, "shell-", ".service")
	rank, id, cut := strings.Cut(unit, "-")
	if !ok || !cut || !digits(rank) || !isF58(id) {
		return claim{}
	}
	return claim{rawID: id}
}

// cutBoth cuts off what text must begin and end with.
func cutBoth(text, before, behind string) (string, bool) {
	text, ok := strings.CutPrefix(text, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(text, behind)
}

// isF58 says whether id is a job id in Flux's base 58, with "f" before it
// (RFC 19 of Flux; src/common/libutil/fluid.c). 64 bits have 11 digits at most.
func isF58[T string | []byte](id T) bool {
	if len(id) < 2 || len(id) > 12 || id[0] != 'f' {
		return false
	}
	for i := 1; i < len(id); i++ {
		if strings.IndexByte("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", id[i]) < 0 {
			return false
		}
	}
	return true
}

// fluxParts gives the id back: nothing else is in it.
func fluxParts(rawID string) (id, array, index string) { return rawID, "", "" }

// fluxEnviron reads the variables of a task (flux-environment(7)). The first
// id of FLUX_JOB_ID_PATH is the job; without it FLUX_ENCLOSING_ID, the instance
// that runs FLUX_JOB_ID, or whose initial program this is.
func fluxEnviron(env []byte, _ string) (e envClaim) {
	var job, path, enclosing []byte
	for len(env) > 0 {
		var name, value []byte
		name, value, env = variable(env)
		switch string(name) {
		case "FLUX_JOB_ID":
			first(&job, value)
		case "FLUX_JOB_ID_PATH":
			first(&path, value)
		case "FLUX_ENCLOSING_ID":
			first(&enclosing, value)
		case "FLUX_TASK_RANK":
			first(&e.task, value)
		}
	}
	job, enclosing = plainF58(job), plainF58(enclosing)
	e.id, e.step = enclosing, job
	if e.id == nil {
		e.id, e.step = job, nil
	}
	if ids := fluxPath(path); len(ids) > 0 {
		e.id, e.step = ids[0], bytes.Join(ids[1:], []byte("/"))
	}
	if !digits(e.task) {
		e.task = nil
	}
	return e
}

// fluxPath takes "/ƒD2e73NP/ƒDCB6RV" apart, the outermost job first. It gives
// nothing when a part of it is no id.
func fluxPath(path []byte) (ids [][]byte) {
	if len(path) < 2 || len(path) > maxID || path[0] != '/' {
		return nil
	}
	for part := range bytes.SplitSeq(path[1:], []byte("/")) {
		id := plainF58(part)
		if id == nil {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// plainF58 turns "ƒ" into "f"; nil for what is no id.
func plainF58(id []byte) []byte {
	if rest, ok := bytes.CutPrefix(id, []byte("ƒ")); ok {
		id = append([]byte("f"), rest[:min(len(rest), maxID)]...)
	}
	if !isF58(id) {
		return nil
	}
	return id
}

// fluxDaemon says whether a process is Flux's setuid helper, which starts the
// shells of jobs.
func fluxDaemon(p *procmon.Process, _ claim) bool {
	return p.Comm == "flux-imp" && p.EUID == 0
}
