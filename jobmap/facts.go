package jobmap

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"procmon"
)

// facts is what root-owned files of one node say of one job and restart. It
// is not written to once it is shared.
type facts struct {
	scheduler, id, sluid string
	cluster, user        string
	account, queue, name string
	array, index         string
	hetJob, hetOffset    string
	uid                  uint32
	hasUID               bool
	restart              int

	shares []share
	done   bool // summarised
}

// share is what a job has of one node. More than one is only on a machine that
// runs several nodes' daemons.
type share struct {
	node       string
	cpus, gpus int
	start, end stamp
	began      bool
	ended      bool
	requeued   bool // its end said the number of the next restart
}

// stamp is a time as a hook could note it without starting a program.
type stamp struct {
	uptime time.Duration // since boot
	boot   string        // which boot
	unix   int64         // what the scheduler says; 0: nothing
}

// Kinds of blocks.
const (
	blockBegin = "begin"
	blockEnd   = "end"
	blockDone  = "done"
)

// maxValue is the longest value that is taken from a job's file, in bytes.
const maxValue = 4096

// block is one event: a line in a job's file.
type block struct {
	kind   string
	values map[string]string
}

// parseBlocks reads a job's file: one event a line, its kind and KEY=VALUE
// fields parted by tabs, the last field a ".". What is incomplete or not
// understood is left out: a line that a full disk cut short spoils no other.
func parseBlocks(data []byte) []block {
	var blocks []block
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		line, complete := bytes.CutSuffix(line, []byte("\t."))
		if !complete {
			continue
		}
		kind, fields, _ := bytes.Cut(line, []byte{'\t'})
		b := block{kind: string(kind), values: make(map[string]string, 24)}
		for len(fields) > 0 {
			var field []byte
			field, fields, _ = bytes.Cut(fields, []byte{'\t'})
			b.add(field)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func (b *block) add(field []byte) {
	key, value, ok := bytes.Cut(field, []byte{'='})
	if !ok || len(key) > 32 || len(value) == 0 || len(value) > maxValue || !utf8.Valid(value) || len(b.values) >= 64 {
		return
	}
	for _, c := range value {
		if c < ' ' || c == 0x7f {
			return
		}
	}
	if _, twice := b.values[string(key)]; !twice {
		b.values[string(key)] = string(value)
	}
}

// parseFacts reads a job's file into one facts per restart, the oldest first.
func parseFacts(data []byte) []*facts {
	var all lives
	for _, b := range parseBlocks(data) {
		all.add(b)
	}
	for i := range max(0, len(all)-1) {
		all[i].supersede(all[i+1])
	}
	return all
}

// apply adds what a begin or end block says.
func (f *facts) apply(b block) {
	v := b.values
	f.describe(v)
	s := f.share(v["NODE"])
	if s.cpus == 0 {
		s.cpus = slurmCPUs(v["CPUS_PER_NODE"], v["NODELIST"], v["NODE"])
	}
	if n, ok := restart(v["CPUS"]); ok && s.cpus == 0 {
		s.cpus = n
	}
	if s.gpus == 0 {
		s.gpus = countList(v["GPUS"])
	}
	if n, ok := restart(v["NGPUS"]); ok && s.gpus == 0 {
		s.gpus = n
	}
	if b.kind == blockBegin {
		s.began, s.start = true, parseStamp(v, "START_TIME")
		return
	}
	s.ended, s.end = true, parseStamp(v, "END_TIME")
	if !s.began && s.start == (stamp{}) {
		s.start.unix = parseStamp(v, "START_TIME").unix
	}
}

// describe takes over what does not change in a job's life.
func (f *facts) describe(v map[string]string) {
	keep := func(to *string, key string) {
		if *to == "" {
			*to = v[key]
		}
	}
	keep(&f.scheduler, "SCHEDULER")
	keep(&f.id, "ID")
	keep(&f.sluid, "SLUID")
	keep(&f.cluster, "CLUSTER")
	keep(&f.user, "USER")
	keep(&f.account, "ACCOUNT")
	keep(&f.queue, "PARTITION")
	keep(&f.name, "NAME")
	keep(&f.array, "ARRAY_JOB")
	keep(&f.index, "ARRAY_TASK")
	keep(&f.hetJob, "HET_JOB")
	keep(&f.hetOffset, "HET_OFFSET")
	if uid, ok := parseUID(v["UID"]); ok && !f.hasUID {
		f.uid, f.hasUID = uid, true
	}
}

// share is the part of one node, made if there is none.
func (f *facts) share(node string) *share {
	if s := f.on(node); s != nil {
		return s
	}
	f.shares = append(f.shares, share{node: node})
	return &f.shares[len(f.shares)-1]
}

// on is the part of one node, nil if there is none.
func (f *facts) on(node string) *share {
	for i := range f.shares {
		if f.shares[i].node == node {
			return &f.shares[i]
		}
	}
	return nil
}

// endOnly says whether only an epilog was heard.
func (f *facts) endOnly() bool {
	for i := range f.shares {
		if f.shares[i].began {
			return false
		}
	}
	return f.ended()
}

// ended says whether the job is over on each node that it began on.
func (f *facts) ended() bool {
	for i := range f.shares {
		if !f.shares[i].ended {
			return false
		}
	}
	return len(f.shares) > 0
}

// begunBy says whether the job had begun on a node when p executed its
// program, as far as the hook noted a time of p's boot.
func (f *facts) begunBy(p *procmon.Process) bool {
	for i := range f.shares {
		if !f.shares[i].start.after(p, 0) {
			return true
		}
	}
	return len(f.shares) == 0
}

// endedBefore says whether the job was over when p executed its program. When
// one of the two times is not known, a job that has ended was over by then.
func (f *facts) endedBefore(p *procmon.Process) bool {
	for i := range f.shares {
		if f.shares[i].end.after(p, stampStep) {
			return false
		}
	}
	return f.ended()
}

// stampStep is how much before the true time a stamp may be: /proc/uptime has
// two decimals.
const stampStep = 10 * time.Millisecond

// after says whether s, late by as much as slack, is after the execve of p;
// false when one of the two is not known.
func (s stamp) after(p *procmon.Process, slack time.Duration) bool {
	at := p.Run.Exec
	if at == 0 {
		at = p.Run.Process.Start.BootNS()
	}
	return at != 0 && s.uptime != 0 && s.boot == p.Boot && s.uptime+slack > time.Duration(at)
}

// supersede ends a job that no epilog ended when it was started again: it was
// over by then.
func (f *facts) supersede(next *facts) {
	if f.ended() || len(next.shares) == 0 {
		return
	}
	for i := range f.shares {
		if s := &f.shares[i]; !s.ended {
			s.ended, s.end = true, next.shares[0].start
		}
	}
}

// parseStamp reads the time of a block; UPTIME is what /proc/uptime said.
func parseStamp(v map[string]string, key string) (s stamp) {
	if n, err := strconv.ParseInt(v[key], 10, 64); err == nil && n > 0 && n < 1<<40 {
		s.unix = n
	}
	if up, ok := parseUptime(v["UPTIME"]); ok {
		s.uptime, s.boot = up, v["BOOT"]
	}
	return s
}

// parseUptime reads the first number of /proc/uptime (proc_uptime(5)), seconds
// with two decimals.
func parseUptime(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds < 1e9) {
		return 0, false
	}
	return time.Duration(seconds*100+0.5) * 10 * time.Millisecond, true
}
