package procmon

// Evidence says how something about a job became known, weakest first, so
// that the greater value is the better one.
type Evidence uint8

// Kinds of evidence, in growing order of trust.
const (
	EvidenceNone       Evidence = iota
	EvidenceEnviron             // the process's environment: its user can forge it
	EvidenceParent              // its parent's job, which was found by an ancestor or a cgroup
	EvidenceAncestor            // a root-owned ancestor that names the job
	EvidenceCgroup              // the path of its cgroup, which only root can enter
	EvidenceFacts               // what the scheduler's prolog wrote as root
	EvidenceAccounting          // what the scheduler's accounting says; never of a process
)

var evidenceNames = [...]string{"", "environ", "parent", "ancestor", "cgroup", "facts", "accounting"}

// String is the name used in JSON, SQL and reports; empty for none.
func (e Evidence) String() string {
	if int(e) < len(evidenceNames) {
		return evidenceNames[e]
	}
	return ""
}

// ParseEvidence is the inverse of String; an unknown name is EvidenceNone.
func ParseEvidence(name string) Evidence {
	for i, n := range evidenceNames {
		if n == name {
			return Evidence(i)
		}
	}
	return EvidenceNone
}

// Proved says whether no user could have forged it.
func (e Evidence) Proved() bool { return e > EvidenceEnviron }

// JobField is one thing that is known of a job, each with its own evidence.
type JobField uint8

// The fields of a job. Their names are those of the JSON lines.
const (
	JobID JobField = iota // the id as users say it; its array or het parts included
	JobRawID
	JobCluster
	JobStep
	JobTask
	JobUser
	JobAccount
	JobPartition
	JobName
	JobRestart
	jobFields
)

var jobFieldNames = [jobFields]string{"id", "raw_id", "cluster", "step_id", "task_id", "user", "account", "partition", "name", "restart"}

// String is the field's name in the JSON lines.
func (f JobField) String() string { return jobFieldNames[f] }

// Job is the batch job that a process ran in. The zero Job means that it ran
// in none. Empty fields are not known. Job is comparable.
type Job struct {
	Scheduler string // "slurm", "openpbs", "torque", "gridengine", "lsf", "htcondor", "flux"
	Cluster   string
	ID        string // as users say it: "9", "4_5", "9+1", "2[3].server", "7.2", "fTE9HHdZvi3"
	RawID     string // as the scheduler counts it: "9", "1.server", "schedd#12.3#1700000000"
	SLUID     string // Slurm 26.05's directory name, "s" and 13 base32 digits
	ArrayJob  string // id of the array, raw
	ArrayTask string // index in the array
	HetJob    string // raw id of the heterogeneous job's leader
	HetOffset string // component of the heterogeneous job
	Step      string // "batch", "extern", "interactive", "0", "0+1"; of HTCondor the slot, of Flux the job inside the job
	Task      string // task number in the step, as the cgroup or environment has it
	User      string // the job's owner
	UID       uint32 // the job's owner; meaningful when JobUser has evidence
	Account   string
	Partition string // partition or queue
	Name      string
	Restart   int // how often it was requeued before

	Evidence Evidence            // how the process was found to be in the job
	By       [jobFields]Evidence // how each field became known
	Conflict string              // what else claimed to be the job: "environ says 77777"; empty: nothing
}

// None says whether this is no job.
func (j *Job) None() bool { return j.RawID == "" && j.SLUID == "" }

// Unproved lists the known fields that rest on the environment alone.
func (j *Job) Unproved() []string {
	var names []string
	for f, e := range j.By {
		if e == EvidenceEnviron {
			names = append(names, JobField(f).String())
		}
	}
	return names
}

// JobKey names a job: ids wrap and jobs are requeued.
type JobKey struct {
	Cluster, RawID string
	Restart        int
}

// Key is the job's key. A job known by its SLUID only is keyed by that.
func (j *Job) Key() JobKey {
	id := j.RawID
	if id == "" {
		id = j.SLUID
	}
	return JobKey{j.Cluster, id, j.Restart}
}
