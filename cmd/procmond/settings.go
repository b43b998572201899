package main

import (
	"flag"
	"time"
)

// Settings is the daemon's configuration in force.
type Settings struct {
	Source          string
	Cluster         string
	ExcludeUIDs     uids
	MinUID          number
	StartAfter      duration
	CheckpointEvery duration
	ArgsBytes       size

	IndexPath      string
	IndexKeepRuns  duration
	IndexKeepUsage duration
	IndexMaxBytes  size
	Group          string

	SyslogAddress     string
	SyslogSchema      string
	SyslogMaxBytes    size
	SyslogCommandLine bool
	SyslogSpool       string
	SyslogSpoolBytes  size
	SyslogTLSCA       string
	SyslogTLSCert     string
	SyslogTLSKey      string

	BufferBytes size
	Realtime    string

	BPFPin       string
	BPFRingBytes size

	MetricsAddress string
	ControlSocket  string
	CatalogDir     string
	JobsDir        string
	JobsPatterns   patterns
	SlurmSlice     string
	CondorExecute  string
}

// defaults are the settings of an untouched node.
func defaults() *Settings {
	return &Settings{
		Source: "auto", ExcludeUIDs: uids{0}, MinUID: number(uidMin("/etc/login.defs")),
		StartAfter: duration(10 * time.Second), CheckpointEvery: duration(time.Hour), ArgsBytes: 32 << 10,
		IndexPath: "/var/lib/procmon/procmon.db", IndexKeepRuns: duration(30 * day), IndexKeepUsage: duration(400 * day),
		IndexMaxBytes: 2 << 30, Group: "procmon",
		SyslogAddress: "auto", SyslogSchema: "ecs", SyslogSpool: "/var/lib/procmon/spool", SyslogSpoolBytes: 256 << 20,
		BufferBytes: 64 << 20, Realtime: "readers",
		BPFPin: "/sys/fs/bpf/procmon", BPFRingBytes: 16 << 20,
		MetricsAddress: "off", ControlSocket: "/run/procmon/procmond.sock",
		CatalogDir: "/etc/procmon/catalog.d", JobsDir: "/run/procmon/jobs", CondorExecute: "/var/lib/condor/execute",
	}
}

// setting is one row of the settings table: its key gives the flag and the
// environment variable their names.
type setting struct {
	key   string // as in the file: "index.path"
	usage string
	value flag.Value // reads and writes the field
}

// table lists every setting, in the order in which they are shown.
func (s *Settings) table() []setting {
	return []setting{
		{"source", "how programs are seen: bpf, procconn, or auto: bpf where the kernel can, else procconn", oneOf(&s.Source, "auto", "bpf", "procconn")},
		{"cluster", "name of the cluster; empty: as the scheduler says", text(&s.Cluster)},
		{"exclude_uids", "users whose programs are never recorded, by real user id", &s.ExcludeUIDs},
		{"min_uid", "outside jobs, programs of lower user ids are not recorded", &s.MinUID},
		{"start_after", "a run still going after this gives a start record", &s.StartAfter},
		{"checkpoint_every", "a run still going tells each such time what it has used so far; 0: never", &s.CheckpointEvery},
		{"args_bytes", "how much of each command line is kept", &s.ArgsBytes},
		{"index.path", "the local SQLite index, or off", text(&s.IndexPath)},
		{"index.keep_runs", "how long single runs are kept, 0: for ever", &s.IndexKeepRuns},
		{"index.keep_usage", "how long sums by day are kept, 0: for ever", &s.IndexKeepUsage},
		{"index.max_bytes", "how large the index may grow: the oldest runs go first, 0: no limit", &s.IndexMaxBytes},
		{"group", "group that may read the index and its directory; empty: root's", text(&s.Group)},
		{"syslog.address", "where JSON lines go: auto, unix:PATH, udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT, file:PATH, - (standard output) or off", text(&s.SyslogAddress)},
		{"syslog.schema", "form of the lines: ecs or classic", oneOf(&s.SyslogSchema, "ecs", "classic")},
		{"syslog.max_bytes", "the longest line; 0: 60000 on procmon's own socket, to a file and to standard output, 8000 elsewhere", &s.SyslogMaxBytes},
		{"syslog.command_line", "add process.command_line, shell-quoted, beside process.args", (*boolean)(&s.SyslogCommandLine)},
		{"syslog.spool", "directory where lines wait while the receiver refuses; empty: none", text(&s.SyslogSpool)},
		{"syslog.spool_bytes", "how much may wait there", &s.SyslogSpoolBytes},
		{"syslog.tls_ca", "tls: file of the authorities that the receiver's certificate is checked by; empty: the system's", text(&s.SyslogTLSCA)},
		{"syslog.tls_cert", "tls: file of this node's certificate; empty: none is shown", text(&s.SyslogTLSCert)},
		{"syslog.tls_key", "tls: file of its key", text(&s.SyslogTLSKey)},
		{"procconn.buffer_bytes", "kernel memory of the receive buffers, all CPUs together", &s.BufferBytes},
		{"procconn.realtime", "what runs under SCHED_FIFO: the readers (the rest at nice -20), all, or off", oneOf(&s.Realtime, "readers", "all", "off")},
		{"bpf.ring_bytes", "room for what the kernel's programs have seen and procmond has not read, rounded up to a power of two", &s.BPFRingBytes},
		{"bpf.pin", "directory of a BPF filesystem where the programs stay while no daemon runs, or off", text(&s.BPFPin)},
		{"metrics.address", "HOST:PORT of a Prometheus endpoint, or off", text(&s.MetricsAddress)},
		{"control.socket", "socket by which root asks for a flush, figures or a reload, and users about their own runs, or off", text(&s.ControlSocket)},
		{"catalog.dir", "the site's own application rules, read before the built-in ones", text(&s.CatalogDir)},
		{"jobs.dir", "job facts that the scheduler's prolog writes as root", text(&s.JobsDir)},
		{"jobs.patterns", "the site's own cgroup paths of jobs, each SCHEDULER=REGEXP with (?P<job>...) in it, parted by spaces", &s.JobsPatterns},
		{"slurm.slice", "CgroupSlice of slurm.conf, or a cgroup path above slurmstepd.scope; empty: any slice at the top", text(&s.SlurmSlice)},
		{"htcondor.execute", "EXECUTE of HTCondor's configuration, where jobs have their ads, or off", text(&s.CondorExecute)},
	}
}
