package main

import (
	"errors"
	"flag"
	"io"
	"strings"
)

// toolNames are the tools, in the order of the tables. A name is a program, or a
// source of procmond; procconn-all and forkstat-r run under SCHED_FIFO, as far
// as they can be told to.
var toolNames = []string{"none", "bpf", "procconn", "procconn-all", "auditd", "go-audit", "bpftrace", "forkstat", "forkstat-r"}

// options say what to measure.
type options struct {
	daemon      string
	rsyslogConf string
	tools       []string
	workloads   []workload
	execs       int
	rounds      int
	uid         int
	format      string
	keep        bool
	spawn       string // internal
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var tools, loads string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.spawn, "spawn", "", "internal: be one spawner")
	f.StringVar(&o.daemon, "procmond", "bin/procmond", "the daemon to measure")
	f.StringVar(&o.rsyslogConf, "rsyslog-conf", "contrib/rsyslog/procmon.conf", "configuration of rsyslogd that is shipped with it")
	f.StringVar(&tools, "tools", strings.Join(toolNames, ","), "what is measured against no tool; also procconn-off, and spin, which only takes CPU time")
	f.StringVar(&loads, "workloads", "", "which workloads; empty: all")
	f.IntVar(&o.execs, "execs", 0, "programs that each workload starts; 0: its own number")
	f.IntVar(&o.rounds, "rounds", 3, "how often all is measured; the figures are medians")
	f.IntVar(&o.uid, "uid", 65534, "user id that starts the programs")
	f.StringVar(&o.format, "format", "table", "table or markdown")
	f.BoolVar(&o.keep, "keep", false, "keep the tools' files")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, errors.New("it takes flags only")
	case o.format != "table" && o.format != "markdown":
		return nil, errors.New("-format is table or markdown")
	case o.rounds < 1 || o.execs < 0:
		return nil, errors.New("-rounds is at least 1, -execs at least 0")
	case o.uid < 1:
		return nil, errors.New("-uid is a user other than root")
	}
	o.tools = strings.Split(tools, ",")
	var err error
	o.workloads, err = known(loads)
	for i := range o.workloads {
		o.workloads[i] = o.workloads[i].scaled(o.execs)
	}
	return o, err
}
