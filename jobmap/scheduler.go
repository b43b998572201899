package jobmap

import (
	"strings"

	"procmon"
)

// claim is what one piece of evidence says: this process is of that job.
type claim struct {
	scheduler int    // index into schedulers
	rawID     string // may be empty when sluid is not, or ad is set
	sluid     string
	step      string
	task      string
	uid       uint32
	hasUID    bool // uid is the job's owner
	ad        bool // the evidence names a slot: the job's ad tells which job has it
}

func (c *claim) none() bool { return c.rawID == "" && c.sluid == "" && !c.ad }

// same says whether both name one job, as far as they can be compared.
func (c *claim) same(o *claim) bool {
	if c.scheduler != o.scheduler {
		return false
	}
	if c.rawID != "" && o.rawID != "" {
		return sameID(c.rawID, o.rawID)
	}
	if c.ad || o.ad {
		return c.ad && o.ad && c.step == o.step
	}
	return c.sluid == o.sluid
}

// sameID says whether two raw ids name one job, or one of them more exactly
// than the other: 123 is an array, 123.4 and 123[4] are tasks of it.
func sameID(a, b string) bool { return a == b || extends(a, b) || extends(b, a) }

// extends says whether long is id with a task or a server behind it.
func extends[T string | []byte](long T, id string) bool {
	return id != "" && len(long) > len(id) && string(long[:len(id)]) == id && (long[len(id)] == '.' || long[len(id)] == '[')
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
// pure, takes hostile input, and says no by an empty claim; one that a
// scheduler has no use for is nil.
type scheduler struct {
	name string
	// controllers name the hierarchies whose path can name a job, the one that
	// decides first; "" is cgroup v2's.
	controllers []string
	// cgroup reads the path of one line.
	cgroup func(l cgroupLine, s *siteRules) claim
	// title reads the name that a root-owned daemon gives itself; known is the
	// claim found before, whose strings are taken where they are the same.
	title func(a *procmon.Ancestor, known claim) claim
	// environ reads the environment; rawID is the job known already, or empty.
	environ func(env []byte, rawID string) envClaim
	// step gives the environment's step the name that users know; nil: it has.
	step func(string) string
	// isID says whether a text can be a job's raw id.
	isID func(string) bool
	// parts takes a raw id apart that tells all that users say: the id that
	// they know, its array and the index in it. Nil: other evidence tells.
	parts func(rawID string) (id, array, index string)
	// indexed stands before and behind the index of an array in a raw id.
	indexed [2]string
	// daemon says whether a process in a job is the scheduler's own, and no
	// run of a user.
	daemon func(p *procmon.Process, c claim) bool
	// submits says whether a process is a client on the submitting side,
	// whose environment names a job that runs elsewhere.
	submits func(comm, exe string) bool
}

// schedulers in the order in which they are asked: a job that starts another
// batch system inside comes first. It is never written to.
var schedulers = [...]scheduler{
	slurmScheduler, openpbsScheduler, torqueScheduler, gridengineScheduler, lsfScheduler, htcondorScheduler, fluxScheduler,
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

// schedulerNames lists the schedulers for people.
func schedulerNames() string {
	var names []string
	for i := range schedulers {
		names = append(names, schedulers[i].name)
	}
	return strings.Join(names, ", ")
}

// environOf reads the environment as a scheduler's, if it has one.
func (s *scheduler) environOf(env []byte, rawID string) (e envClaim) {
	if s.environ != nil {
		e = s.environ(env, rawID)
	}
	return e
}

// stepName is the step of an environment as users know it.
func (s *scheduler) stepName(step string) string {
	if s.step == nil {
		return step
	}
	return s.step(step)
}
