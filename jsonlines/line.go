package jsonlines

import (
	"time"
)

// line is what is taken from a line, of any dataset. Names are those of
// docs/json-lines.md.
type line struct {
	Timestamp time.Time `json:"@timestamp"`
	Event     struct {
		ID      string
		Dataset string
		Type    []string
		Action  string
		Outcome string
		Start   time.Time
		End     time.Time
	}
	Host struct {
		Name string
		Boot struct{ ID string }
	}
	Process process
	User    struct {
		ID        *uint32 `json:",string"`
		Name      string
		Effective struct {
			ID *uint32 `json:",string"`
		}
		Audit struct {
			ID *uint32 `json:",string"`
		}
	}
	HPC hpc

	// Of schema classic.
	Cmdline *string
	Node    *string
}

type process struct {
	PID        int32
	Executable string
	Name       string
	Directory  string `json:"working_directory"`
	Start      time.Time
	End        time.Time
	ExitCode   *uint8 `json:"exit_code"`
	ExitSignal uint8  `json:"exit_signal"`
	Parent     struct {
		PID        int32
		Start      time.Time
		Name       string
		Executable string
	}
	ArgsCount     uint32 `json:"args_count"`
	Args          []string
	ArgsTruncated uint32 `json:"args_truncated"`
}

type hpc struct {
	Job         *job
	Application application
	Usage       *usage
	Loss        loss
	Adopted     bool
	Deleted     bool `json:"executable_deleted"`
	Missing     []string
	Runs        uint64
	Failed      uint64 `json:"failed_runs"`
}

type job struct {
	Scheduler string
	Cluster   string
	ID        string
	RawID     string `json:"raw_id"`
	SLUID     string
	ArrayJob  string `json:"array_job_id"`
	ArrayTask string `json:"array_task_id"`
	HetJob    string `json:"het_job_id"`
	HetOffset string `json:"het_job_offset"`
	Step      string `json:"step_id"`
	Task      string `json:"task_id"`
	User      string
	UserID    *uint32 `json:"user_id,string"`
	Account   string
	Partition string
	Name      string
	Restart   *uint32
	Evidence  string
	Unproved  []string

	Start time.Time
	End   time.Time
	CPUs  uint32
	GPUs  uint32

	CgroupCPU  uint64    `json:"cgroup_cpu_ns"`
	CgroupRead time.Time `json:"cgroup_cpu_until"`
}

type application struct {
	Name, Version, Kind, Package, Evidence, Script, Image, Rules string
}

// usage has its figures unsigned and within what sums can hold: see bounds.
type usage struct {
	User        uint64 `json:"user_cpu_ns"`
	System      uint64 `json:"system_cpu_ns"`
	MaxRSS      uint64 `json:"max_rss_bytes"`
	RSSBound    bool   `json:"max_rss_upper_bound"`
	Read        uint64 `json:"read_bytes"`
	Write       uint64 `json:"write_bytes"`
	Provisional bool
}

type loss struct {
	Count  uint64
	CPU    *uint16
	Reason string
	Where  string
}
