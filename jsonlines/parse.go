package jsonlines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"procmon"
)

// Why a line gives no record, wrapped where there is more to say.
var (
	ErrNoJSON  = errors.New("no JSON object in it")
	ErrClassic = errors.New(`of schema classic, which has no ends and no usage: only lines of schema "ecs" can be imported`)
	ErrForeign = errors.New("not of procmon: no event.dataset of procmon.run, procmon.job, procmon.loss or procmon.status")
	ErrBad     = errors.New("not as procmond writes it")
)

// maxHeader bounds what may stand before the JSON: a syslog header and the cookie.
const maxHeader = 1024

// Parse makes a record of a line. What stands before the JSON is skipped.
func Parse(text []byte) (procmon.Record, error) {
	start := bytes.IndexByte(text[:min(len(text), maxHeader)], '{')
	if start < 0 {
		return procmon.Record{}, ErrNoJSON
	}
	var l line
	if err := json.Unmarshal(text[start:], &l); err != nil {
		return procmon.Record{}, fmt.Errorf("%w: %w", ErrBad, plain(err))
	}
	switch {
	case l.Event.Dataset == "" && l.Cmdline != nil && l.Node != nil:
		return procmon.Record{}, ErrClassic
	case !strings.HasPrefix(l.Event.Dataset, "procmon."):
		return procmon.Record{}, ErrForeign
	}
	r, err := l.record()
	if err != nil {
		return procmon.Record{}, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return r, nil
}

// plain says what the decoder says of a type without our names for it.
func plain(err error) error {
	var of *json.UnmarshalTypeError
	if errors.As(err, &of) {
		return fmt.Errorf("at byte %d: %.40s, which is no %s", of.Offset, of.Value, of.Type)
	}
	return err
}

// record makes what the dataset tells of.
func (l *line) record() (r procmon.Record, err error) {
	r = procmon.Record{Host: l.Host.Name, Boot: l.Host.Boot.ID, Time: l.Timestamp}
	switch {
	case r.Host == "":
		return r, errors.New("no host.name")
	case !saneTime(r.Time):
		return r, errors.New("no @timestamp, or one that can't be")
	}
	switch l.Event.Dataset {
	case "procmon.run":
		r.Phase, r.Run, err = l.run()
	case "procmon.loss":
		r.Time, r.Seq, r.Loss, err = l.loss()
	case "procmon.job":
		r.Summary, err = l.summary()
	case "procmon.status":
		r.Status = &procmon.Status{Action: l.Event.Action}
	default:
		err = fmt.Errorf("event.dataset %.40q is not known to this version", l.Event.Dataset)
	}
	return r, err
}

// saneTime says whether something can have happened then.
func saneTime(t time.Time) bool { return t.Year() >= 1971 && t.Year() < 2200 }

// phase is the part of a run's life that event.type tells.
func (l *line) phase() (procmon.Phase, error) {
	start, end := slices.Contains(l.Event.Type, "start"), slices.Contains(l.Event.Type, "end")
	switch {
	case start && end:
		return procmon.Whole, nil
	case start:
		return procmon.Start, nil
	case end:
		return procmon.End, nil
	case slices.Contains(l.Event.Type, "info"):
		return procmon.Checkpoint, nil
	}
	return 0, fmt.Errorf("event.type %.40q", l.Event.Type)
}

// bounds of what a run, or a job on one host, can have used: a thousand CPUs for
// weeks.
const (
	maxCPU   = uint64(1) << 61 // ns, 73 years
	maxBytes = uint64(1) << 60
)

func (u *usage) usage() (*procmon.Usage, error) {
	switch {
	case u == nil:
		return nil, nil
	case max(u.User, u.System) > maxCPU:
		return nil, errors.New("hpc.usage: more CPU time than can be")
	case max(u.MaxRSS, u.Read, u.Write) > maxBytes:
		return nil, errors.New("hpc.usage: more bytes than can be")
	}
	return &procmon.Usage{User: time.Duration(u.User), System: time.Duration(u.System), MaxRSS: u.MaxRSS, RSSBound: u.RSSBound && u.MaxRSS > 0,
		Read: u.Read, Write: u.Write}, nil
}

// loss takes life and number from event.id, HOST-LIFE-SEQ: they name it.
func (l *line) loss() (life time.Time, seq uint64, loss *procmon.Loss, err error) {
	parts := strings.Split(l.Event.ID, "-")
	if len(parts) < 3 {
		return life, 0, nil, fmt.Errorf("event.id %.60q is not of a loss", l.Event.ID)
	}
	ns, err := strconv.ParseInt(parts[len(parts)-2], 36, 64)
	if err != nil || !saneTime(time.Unix(0, ns)) {
		return life, 0, nil, fmt.Errorf("event.id %.60q is not of a loss", l.Event.ID)
	}
	if seq, err = strconv.ParseUint(parts[len(parts)-1], 36, 63); err != nil {
		return life, 0, nil, fmt.Errorf("event.id %.60q is not of a loss", l.Event.ID)
	}
	if l.HPC.Loss.Reason == "" {
		return life, 0, nil, errors.New("no hpc.loss.reason")
	}
	loss = &procmon.Loss{Count: min(l.HPC.Loss.Count, maxBytes), CPU: -1, From: l.Event.Start, To: l.Event.End,
		Reason: l.HPC.Loss.Reason, Where: l.HPC.Loss.Where}
	if l.HPC.Loss.CPU != nil {
		loss.CPU = int(*l.HPC.Loss.CPU)
	}
	return time.Unix(0, ns).UTC(), seq, loss, nil
}

// summary makes as much of a job's summary as an index takes.
func (l *line) summary() (*procmon.JobSummary, error) {
	j := l.HPC.Job.job()
	if j.None() {
		return nil, errors.New("no hpc.job.raw_id and no hpc.job.sluid")
	}
	u, err := l.HPC.Usage.usage()
	if err != nil {
		return nil, err
	}
	if l.HPC.Job.CgroupCPU > maxCPU {
		return nil, errors.New("hpc.job.cgroup_cpu_ns: more CPU time than can be")
	}
	s := &procmon.JobSummary{Job: j, CPUs: int(l.HPC.Job.CPUs), GPUs: int(l.HPC.Job.GPUs), Start: l.HPC.Job.Start, End: l.HPC.Job.End,
		Runs: l.HPC.Runs, Failed: l.HPC.Failed, CgroupCPU: time.Duration(l.HPC.Job.CgroupCPU), CgroupRead: l.HPC.Job.CgroupRead}
	if u != nil {
		s.Usage = *u
	}
	return s, nil
}
