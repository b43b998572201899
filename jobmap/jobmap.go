package jobmap

import (
	"procmon"
)

// Config says what a Mapper knows of its site. The zero Config works.
type Config struct {
	Cluster    string    // the cluster this node belongs to; empty: what the job facts say, else the environment
	Facts      *Registry // what prologs wrote; nil: nothing is known beside the process itself
	SlurmSlice string    // CgroupSlice of slurm.conf ("a-b.slice"), or an absolute cgroup path that slurmstepd.scope lies in; empty: any slice at the top
	Patterns   []Pattern // the site's own cgroup paths, asked after the built-in ones
	CondorDir  string    // EXECUTE of HTCondor's configuration, where the ads of jobs lie; empty: none are read
	MinUID     uint32    // the first user id of people: below it are system users, such as Flux's; 0: 1000
}

// Env names the environment variables that a Mapper wants in Process.Env: a
// name, a prefix with "*" at its end, or with "-" before it a name that must
// never be kept.
var Env = []string{
	"SLURM_JOB_*", "SLURM_JOBID", "SLURM_STEP_ID", "SLURM_STEPID", "SLURM_PROCID", "SLURM_ARRAY_JOB_ID",
	"SLURM_ARRAY_TASK_ID", "SLURM_CLUSTER_NAME", "SLURM_RESTART_COUNT", "SLURMD_NODENAME",
	"PBS_JOBID", "PBS_JOBNAME", "PBS_QUEUE", "PBS_ACCOUNT", "PBS_TASKNUM", "PBS_VERSION", "PBS_NP", "PBS_NUM_PPN",
	"PBS_VNODENUM", "-PBS_JOBCOOKIE",
	"JOB_ID", "JOB_NAME", "QUEUE", "SGE_TASK_ID", "SGE_ACCOUNT", "SGE_ROOT", "SGE_CELL",
	"LSB_JOBID", "LSB_JOBINDEX", "LSB_BATCH_JID", "LSB_JOBNAME", "LSB_QUEUE", "LSB_PROJECT_NAME", "JSM_NAMESPACE_RANK",
	"FLUX_JOB_ID", "FLUX_JOB_ID_PATH", "FLUX_ENCLOSING_ID", "FLUX_TASK_RANK",
}

// Mapper finds the job of a process. It may be used by several goroutines.
type Mapper struct {
	cluster string
	facts   *Registry
	ads     *jobAds
	rules   siteRules
}

// New makes a Mapper. It tells c.Facts the cluster's name, so that the keys of
// summaries and of runs are the same.
func New(c Config) *Mapper {
	if c.Facts != nil {
		c.Facts.setCluster(c.Cluster)
	}
	if c.MinUID == 0 {
		c.MinUID = 1000
	}
	return &Mapper{
		cluster: c.Cluster, facts: c.Facts, ads: newJobAds(c.CondorDir),
		rules: siteRules{slice: slicePath(c.SlurmSlice), minUID: c.MinUID, patterns: c.Patterns},
	}
}

// Job says which job p runs in. parent is what Job said of the process that
// started p, the zero Job if that is not known. It reads p and what is in
// memory only, but for one look at the file of a job not seen before. The zero
// Job is no job; it may still carry a Conflict, when a claim was refused.
func (m *Mapper) Job(p *procmon.Process, parent procmon.Job) procmon.Job {
	s := search{m: m, p: p, parent: parent}
	s.find()
	return s.job
}
