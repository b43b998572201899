package procmon

import "time"

// Accounted is what a scheduler's accounting says of a job, or of one life of
// a job that was requeued. Zero fields are not told.
type Accounted struct {
	// Job has the ids and facts. What is told has EvidenceAccounting; a restart
	// count without it is not known. UID is NoUID when only the user's name is told.
	Job Job
	Allocation
}

// Allocation is what a scheduler gave a job, and what became of it.
type Allocation struct {
	State    string        // in the scheduler's words: "COMPLETED", "RUNNING"; of PBS in those of package accounting
	Over     bool          // it will not go on: End is final
	Exit     *Exit         // of the job; nil: not told
	CPUs     int           // of all its hosts
	GPUs     int           // of all its hosts
	Nodes    int           // how many hosts
	NodeList string        // as the scheduler writes it: "n[1-3]"
	Hosts    []HostShare   // by host, where that is told
	Submit   time.Time     // handed in
	Start    time.Time     // of this life
	End      time.Time     // of this life
	Elapsed  time.Duration // while it had its CPUs: without the time that it was suspended
	CPU      time.Duration // CPU time used, as the scheduler measured it
}

// HostShare is a job's share of one host.
type HostShare struct {
	Host string // the scheduler's name of the host
	CPUs int    // 0: not told
	GPUs int
}
