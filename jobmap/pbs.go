package jobmap

import (
	"bytes"
	"strings"
)

// openpbsScheduler is OpenPBS and PBS Professional.
var openpbsScheduler = scheduler{
	name: "openpbs", controllers: []string{"memory", "cpuset", "cpuacct", "devices", "freezer", "name=systemd", ""},
	cgroup: openpbsCgroup, environ: pbsEnviron, isID: isPBSID[string], parts: pbsParts, indexed: [2]string{"[", "]"},
}

// openpbsCgroup reads the paths of OpenPBS's cgroups hook
// (src/hooks/cgroups/pbs_cgroups.PY):
//
//	since 20  /pbs_jobs.service/jobid/JOBID
//	19.1      /pbspro.slice/pbspro-JOBID.slice, JOBID escaped as systemd does it
//	18.1      /pbspro/JOBID
//
// The hook writes cgroup v1 only. Nothing in the path tells the user.
func openpbsCgroup(l cgroupLine, _ *siteRules) claim {
	switch l.top {
	case "pbs_jobs.service":
		if dir, rest := component(l.rest); dir == "jobid" {
			id, _ := component(rest)
			return pbsClaim(id)
		}
	case "pbspro.slice":
		dir, _ := component(l.rest)
		return pbsClaim(unescapeSlice(dir))
	case "pbspro":
		id, _ := component(l.rest)
		return pbsClaim(id)
	}
	return claim{}
}

// unescapeSlice takes the job id out of "pbspro-ID.slice"; "\x5b" stands for
// "[" (systemd-escape(1)).
func unescapeSlice(dir string) string {
	id, ok := strings.CutPrefix(dir, "pbspro-")
	if !ok || len(id) > 4*maxID {
		return ""
	}
	if id, ok = strings.CutSuffix(id, ".slice"); !ok {
		return ""
	}
	if strings.IndexByte(id, '\\') < 0 {
		return id
	}
	var b strings.Builder
	for i := 0; i < len(id); i++ {
		if c, ok := unhex(id[i:]); ok {
			b.WriteByte(c)
			i += 3
			continue
		}
		b.WriteByte(id[i])
	}
	return b.String()
}

// unhex reads "\xHH" at the front of s.
func unhex(s string) (c byte, ok bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] != 'x' {
		return 0, false
	}
	for _, d := range []byte(s[2:4]) {
		switch {
		case d >= '0' && d <= '9':
			c = c<<4 | (d - '0')
		case d >= 'a' && d <= 'f':
			c = c<<4 | (d - 'a' + 10)
		case d >= 'A' && d <= 'F':
			c = c<<4 | (d - 'A' + 10)
		default:
			return 0, false
		}
	}
	return c, true
}

// pbsClaim gives no claim for what is no job id.
func pbsClaim(id string) claim {
	if !isPBSID(id) {
		return claim{}
	}
	return claim{rawID: id}
}

// pbsParts takes apart SEQUENCE[INDEX].SERVER, which users say as it is. Its
// array is SEQUENCE[].SERVER.
func pbsParts(rawID string) (id, array, index string) {
	open := strings.IndexByte(rawID, '[')
	if open < 0 {
		return rawID, "", ""
	}
	end := open + strings.IndexByte(rawID[open:], ']')
	return rawID, rawID[:open+1] + rawID[end:], rawID[open+1 : end]
}

// isPBSID says whether id has the form SEQUENCE[INDEX].SERVER; index and
// server may be missing.
func isPBSID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > maxID {
		return false
	}
	i := number(id, 0)
	if i == 0 {
		return false
	}
	if i < len(id) && id[i] == '[' {
		end := number(id, i+1)
		if end == i+1 || end == len(id) || id[end] != ']' {
			return false
		}
		i = end + 1
	}
	if i == len(id) {
		return true
	}
	if id[i] != '.' || i+1 == len(id) {
		return false
	}
	for i++; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// number is the index behind the digits that start at i.
func number[T string | []byte](s T, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

// pbsEnviron reads the variables of OpenPBS and of Torque (qsub(1B);
// src/resmom/start_exec.c of both). PBS_NUM_PPN, PBS_NP, PBS_VNODENUM and
// PBS_VERSION are Torque's alone.
func pbsEnviron(env []byte, _ string) (e envClaim) {
	e.variant = "openpbs"
	for len(env) > 0 {
		var name, value []byte
		name, value, env = variable(env)
		if !bytes.HasPrefix(name, []byte("PBS_")) {
			continue
		}
		switch string(name[len("PBS_"):]) {
		case "JOBID":
			first(&e.id, value)
		case "JOBNAME":
			first(&e.name, value)
		case "QUEUE":
			first(&e.queue, value)
		case "ACCOUNT":
			first(&e.account, value)
		case "NUM_PPN", "NP", "VNODENUM", "VERSION":
			e.variant = "torque"
		}
	}
	if !isPBSID(e.id) {
		e.id = nil
	}
	return e
}
