package jobmap

import (
	"bytes"
	"strings"
)

// lsfScheduler is IBM Spectrum LSF. Its source is closed and no path of its
// cgroups is known for certain, so a site tells its own by a Pattern; the
// controllers are those that IBM names.
var lsfScheduler = scheduler{
	name: "lsf", controllers: []string{"freezer", "memory", "cpuacct", "cpuset", ""},
	environ: lsfEnviron, isID: isLSFID[string], parts: lsfParts, indexed: [2]string{"[", "]"},
}

// isLSFID says whether id is JOB or JOB[INDEX], both numbers.
func isLSFID[T string | []byte](id T) bool {
	end := number(id, 0)
	if !digits(id[:end]) {
		return false
	}
	return end == len(id) || id[end] == '[' && id[len(id)-1] == ']' && digits(id[end+1:len(id)-1])
}

// lsfParts takes apart JOB[INDEX], which users say as it is.
func lsfParts(rawID string) (id, array, index string) {
	if job, rest, ok := strings.Cut(rawID, "["); ok {
		return rawID, job, strings.TrimSuffix(rest, "]")
	}
	return rawID, "", ""
}

// lsfEnviron reads the variables of a job (IBM Spectrum LSF, "Environment
// variables set for job execution"). LSB_JOBINDEX is 0 when it is no array.
func lsfEnviron(env []byte, _ string) (e envClaim) {
	var job, index, whole []byte
	for len(env) > 0 {
		var name, value []byte
		name, value, env = variable(env)
		switch string(name) {
		case "LSB_JOBID":
			first(&job, value)
		case "LSB_JOBINDEX":
			first(&index, value)
		case "LSB_BATCH_JID":
			first(&whole, value)
		case "LSB_JOBNAME":
			first(&e.name, value)
		case "LSB_QUEUE":
			first(&e.queue, value)
		case "LSB_PROJECT_NAME":
			first(&e.account, value)
		case "JSM_NAMESPACE_RANK":
			first(&e.task, value)
		}
	}
	if !digits(job) {
		return envClaim{}
	}
	e.id = job
	switch {
	case isLSFID(whole) && extends(whole, string(job)):
		e.id = whole
	case digits(index) && !bytes.Equal(index, []byte("0")):
		e.id = joined(job, "[", index, "]")
	}
	if !digits(e.task) {
		e.task = nil
	}
	return e
}
