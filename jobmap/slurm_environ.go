package jobmap

import "bytes"

var batchStep = []byte(stepBatch)

// slurmEnviron reads the variables that Slurm gives a task (srun(1), OUTPUT
// ENVIRONMENT VARIABLES; src/common/env.c). In the tasks of a heterogeneous
// job's later components SLURM_JOB_ID is the leader's id; which component it is
// tells SLURM_JOB_ID_HET_GROUP_<k>.
func slurmEnviron(env []byte, rawID string) (e envClaim) {
	var oldID, oldStep, leader []byte
	for len(env) > 0 {
		var name, value []byte
		name, value, env = variable(env)
		if !bytes.HasPrefix(name, []byte("SLURM_")) {
			continue
		}
		switch string(name[len("SLURM_"):]) {
		case "JOB_ID":
			first(&e.id, value)
		case "JOBID":
			first(&oldID, value)
		case "JOB_SLUID":
			first(&e.sluid, value)
		case "STEP_ID":
			first(&e.step, value)
		case "STEPID":
			first(&oldStep, value)
		case "PROCID":
			first(&e.task, value)
		case "ARRAY_JOB_ID":
			first(&e.array, value)
		case "ARRAY_TASK_ID":
			first(&e.index, value)
		case "JOB_USER":
			first(&e.user, value)
		case "JOB_UID":
			first(&e.uid, value)
		case "JOB_ACCOUNT":
			first(&e.account, value)
		case "JOB_PARTITION":
			first(&e.queue, value)
		case "JOB_NAME":
			first(&e.name, value)
		case "CLUSTER_NAME":
			first(&e.cluster, value)
		case "RESTART_COUNT":
			first(&e.restart, value)
		default:
			k, ok := bytes.CutPrefix(name, []byte("SLURM_JOB_ID_HET_GROUP_"))
			if !ok || !digits(k) {
				continue
			}
			if string(k) == "0" {
				first(&leader, value)
			}
			if rawID != "" && string(value) == rawID {
				first(&e.hetOffset, k)
			}
		}
	}
	e.id, e.step = firstOf(e.id, oldID), firstOf(e.step, oldStep)
	if len(e.step) == 0 && len(e.task) > 0 {
		e.step = batchStep // up to 22.05 at least, the batch script's has a task and no step
	}
	e.check(leader)
	return e
}

// check drops what can't be Slurm's own values.
func (e *envClaim) check(leader []byte) {
	if !digits(e.id) {
		e.id = nil
	}
	if !isSLUID(e.sluid) {
		e.sluid = nil
	}
	if !digits(e.array) || !digits(e.index) {
		e.array, e.index = nil, nil
	}
	if !digits(e.task) {
		e.task = nil
	}
	if digits(leader) {
		e.hetLeader = leader
	}
	e.hetMember = e.hetLeader != nil && e.hetOffset != nil
}
