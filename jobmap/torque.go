package jobmap

// torqueScheduler is Torque.
var torqueScheduler = scheduler{
	name: "torque", controllers: []string{"memory", "cpuset", "cpuacct", "cpu", "devices"},
	cgroup: torqueCgroup, environ: pbsEnviron, isID: isPBSID[string], parts: pbsParts, indexed: [2]string{"[", "]"},
}

// torqueCgroup reads Torque's paths, /torque/JOBID[/R<req>.t<task>]
// (src/resmom/trq_cgroups.c; the cpuset of older versions has the same form).
func torqueCgroup(l cgroupLine, _ *siteRules) claim {
	if l.top != "torque" {
		return claim{}
	}
	id, _ := component(l.rest)
	return pbsClaim(id)
}
