package jobmap

import "procmon"

// torqueCgroup reads Torque's paths, /torque/JOBID[/R<req>.t<task>]
// (src/resmom/trq_cgroups.c; the cpuset of older versions has the same form).
func torqueCgroup(c procmon.Cgroup, _ string) (claim, int) {
	rank := controllerRank(c, "memory", "cpuset", "cpuacct", "cpu", "devices")
	if rank < 0 {
		return claim{}, 0
	}
	path, _ := anchored(c.Path)
	top, rest := component(path)
	if top != "torque" {
		return claim{}, 0
	}
	id, _ := component(rest)
	return pbsClaim(id), rank
}
