package procconn

import (
	"log/slog"

	"procmon/collector/procfs"
)

// Config says how to listen.
type Config struct {
	Proc        string            // where /proc is mounted
	Boot        string            // id of this boot
	Env         *procfs.EnvFilter // variables to keep
	MaxArgs     int               // bytes to keep of an argument list
	BufferBytes int               // receive buffers of all sockets together
	RingBytes   int               // rings of all readers together
	Realtime    bool              // run the readers under SCHED_FIFO
	CPUs        []int             // where readers go; nil: each CPU that the process may use, and follow changes
	Logger      *slog.Logger
}

// Name is the source's name in records and settings.
const Name = "procconn"
