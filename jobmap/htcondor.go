package jobmap

import (
	"bytes"
	"strings"

	"procmon"
)

// htcondorScheduler is HTCondor. Neither the cgroup nor the starter names the
// job: they name a slot, and the job's ad, which the starter wrote, tells who
// has it. The slot is the job's step.
var htcondorScheduler = scheduler{
	name: "htcondor", controllers: []string{"memory", "cpuacct", "cpu", "freezer", "blkio", "devices", "pids", ""},
	cgroup: htcondorCgroup, title: htcondorTitle, isID: isHTCondorID, parts: htcondorParts,
}

// htcondorCgroup reads the paths of a slot
// (src/condor_starter.V6.1/vanilla_proc.cpp and
// src/condor_utils/proc_family_direct_cgroup_v2.cpp), where DIR is the execute
// directory with "_" for "/":
//
//	v1  /htcondor/[condor]DIR_SLOT
//	v2  /SLICE/htcondor/DIR_SLOT, with SLICE that of condor's own service
//
// What a job makes below that, and "/sshd" of condor_ssh_to_job, is in it.
func htcondorCgroup(l cgroupLine, _ *siteRules) claim {
	dir, rest := l.top, l.rest
	if l.v2 && strings.HasSuffix(dir, ".slice") && dir != "user.slice" {
		dir, rest = component(rest)
	}
	if dir != "htcondor" {
		return claim{}
	}
	leaf, _ := component(rest)
	if !strings.HasPrefix(strings.TrimPrefix(leaf, "condor"), "_") {
		return claim{}
	}
	i := strings.LastIndex(leaf, "_slot")
	if i < 0 {
		return claim{}
	}
	slot := leaf[i+1:]
	if !isSlot(slot) {
		return claim{}
	}
	return claim{ad: true, step: slot}
}

// isSlot says whether name is "slot1", "slot1_2" or one of them with "@host".
func isSlot(name string) bool {
	slot, host, named := strings.Cut(name, "@")
	n, ok := strings.CutPrefix(slot, "slot")
	if !ok || named && host == "" || len(name) > maxName {
		return false
	}
	first, second, dynamic := strings.Cut(n, "_")
	if !digits(first) || dynamic && !digits(second) {
		return false
	}
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// htcondorTitle reads the arguments of a starter, "condor_starter … -a slot1_1
// SUBMITTER" (src/condor_startd.V6/Starter.cpp).
func htcondorTitle(a *procmon.Ancestor, known claim) claim {
	if !isStarter(a) {
		return claim{}
	}
	args := a.Args
	for len(args) > 0 {
		var arg []byte
		arg, args, _ = bytes.Cut(args, []byte{0})
		if string(arg) == "-a" {
			slot, _, _ := bytes.Cut(args, []byte{0})
			if name, _, _ := strings.Cut(known.step, "@"); name != "" && name == string(slot) {
				return claim{ad: true, step: known.step}
			}
			if isSlot(string(slot)) {
				return claim{ad: true, step: string(slot)}
			}
		}
	}
	return claim{ad: true}
}

// isStarter says whether an ancestor is root's condor_starter. It changes its
// effective user id only.
func isStarter(a *procmon.Ancestor) bool {
	return a.UID == 0 && a.Comm == "condor_starter" && (a.Exe == "" || base(a.Exe) == "condor_starter")
}

// isHTCondorID says whether id is CLUSTER.PROC or SCHEDD#CLUSTER.PROC#TIME, a
// GlobalJobId. Schedds count each on their own, so only that is unique.
func isHTCondorID(id string) bool {
	if len(id) > maxID {
		return false
	}
	short := condorID(id)
	cluster, proc, ok := strings.Cut(short, ".")
	if !ok || !digits(cluster) || !digits(proc) {
		return false
	}
	if short == id {
		return true
	}
	schedd, _, _ := strings.Cut(id, "#")
	if schedd == "" || len(schedd)+1+len(short)+1 >= len(id) || !digits(id[len(schedd)+1+len(short)+1:]) {
		return false
	}
	for i := range len(schedd) {
		if c := schedd[i]; c <= ' ' || c >= 0x7f || c == '/' {
			return false
		}
	}
	return true
}

// condorID is the id that users say of one that may be global.
func condorID(rawID string) string {
	if _, rest, ok := strings.Cut(rawID, "#"); ok {
		rawID, _, _ = strings.Cut(rest, "#")
	}
	return rawID
}

// htcondorParts gives users their CLUSTER.PROC. A cluster of jobs is no array:
// its jobs have nothing in common but that they were submitted together.
func htcondorParts(rawID string) (id, array, index string) { return condorID(rawID), "", "" }
