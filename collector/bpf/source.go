package bpf

import (
	"errors"
	"log/slog"
	"time"

	"procmon"
)

// Name is the source's name in records and settings.
const Name = "bpf"

// ErrUnavailable is wrapped by what Open returns where the kernel can't load or
// attach the programs.
var ErrUnavailable = errors.New("eBPF is not available")

// ErrPinned is wrapped by what Open and Detach return where another daemon works
// with the pinned programs.
var ErrPinned = errors.New("belongs to another procmond that runs")

// Config says how to look.
type Config struct {
	Boot      string   // id of this boot
	Exclude   []uint32 // real user ids whose programs are left out in the kernel
	MaxArgs   int      // bytes to keep of an argument list, 64 KiB at most
	RingBytes int      // room for records; rounded up to a power of two

	// Pin is a directory below a mounted BPF filesystem where programs, ring
	// and books stay while no daemon runs. Empty: they end with this process.
	Pin string

	KeepEnv   func(env []byte) []byte                   // cuts an environment to what is kept
	Read      func(pid int32) (*procmon.Process, error) // reads what the programs could not copy; bounded in time
	Ancestors Ancestors                                 // names the processes above another one
	Clock     Clock
	Logger    *slog.Logger
}

// Ancestors knows the executables, titles and cgroups of processes.
type Ancestors interface {
	Exec(p *procmon.Process)
	Exit(pid int32)
	// Complete fills in what the chain of ids, users and names above p lacks.
	Complete(p *procmon.Process, chain []procmon.Ancestor)
}

// Clock relates the kernel's time to the time of day.
type Clock interface {
	Now() procmon.BootNS
	Wall(procmon.BootNS) time.Time
}
