package jobmap

import "procmon"

// claim is what one piece of evidence says: this process is of that job.
type claim struct {
	scheduler int    // index into schedulers
	rawID     string // may be empty when sluid is not
	sluid     string
	step      string
	task      string
	array     string // id of the array, when the raw id tells it
	index     string // index in the array, when the raw id tells it
	uid       uint32
	hasUID    bool // uid is the job's owner
}

func (c *claim) none() bool { return c.rawID == "" && c.sluid == "" }

// same says whether both name one job, as far as they can be compared.
func (c *claim) same(o *claim) bool {
	if c.scheduler != o.scheduler {
		return false
	}
	if c.rawID != "" && o.rawID != "" {
		return c.rawID == o.rawID
	}
	return c.sluid == o.sluid
}

// envClaim is what an environment says of a job, all of it forgeable. Its
// parts point into the environment.
type envClaim struct {
	id, sluid            []byte
	array, index         []byte
	hetLeader, hetOffset []byte
	step, task           []byte
	user, uid            []byte
	account, queue, name []byte
	cluster, restart     []byte
	variant              string // the scheduler's name when the environment tells it more exactly
	hetMember            bool   // the job is component hetOffset of hetLeader's
}

// scheduler is one batch system: how its evidence is read. Every function is
// pure, takes hostile input, and says no by an empty claim.
type scheduler struct {
	name string
	// cgroup reads one line; rank says which line decides when several name a
	// job, least first.
	cgroup func(c procmon.Cgroup, slice string) (cl claim, rank int)
	// title reads the name that a root-owned daemon gives itself; known is the
	// claim found before, whose strings are taken where they are the same.
	title func(a procmon.Ancestor, known claim) claim
	// environ reads the environment; rawID is the job known already, or empty.
	environ func(env []byte, rawID string) envClaim
	// daemon says whether a process in a job is the scheduler's own, and no
	// run of a user.
	daemon func(p *procmon.Process, c claim) bool
	// submits says whether a process is a client on the submitting side,
	// whose environment names a job that runs elsewhere.
	submits func(comm, exe string) bool
}

// schedulers in the order in which they are asked. It is never written to.
var schedulers = [...]scheduler{
	{name: "slurm", cgroup: slurmCgroup, title: slurmTitle, environ: slurmEnviron, daemon: slurmDaemon, submits: slurmSubmits},
	{name: "openpbs", cgroup: openpbsCgroup, environ: pbsEnviron},
	{name: "torque", cgroup: torqueCgroup, environ: pbsEnviron},
}

// schedulerIndex finds a scheduler by its name, -1 when there is none.
func schedulerIndex(name string) int {
	for i := range schedulers {
		if schedulers[i].name == name {
			return i
		}
	}
	return -1
}
