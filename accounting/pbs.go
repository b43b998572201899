package accounting

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"procmon"
)

// pbs reads accounting files of OpenPBS and Torque:
// "MM/DD/YYYY HH:MM:SS;TYPE;JOBID;KEY=VALUE …". Times without a zone stand at the
// front only; those of the job are seconds since 1970.
type pbs struct{ opts Options }

const pbsLayout = "01/02/2006 15:04:05"

func isPBS(line string) bool {
	when, rest, ok := strings.Cut(line, ";")
	_, err := time.Parse(pbsLayout, when)
	return ok && err == nil && strings.Count(rest, ";") >= 2
}

// pbsStates are the events that tell of a job's life, in our words: PBS has none.
var pbsStates = map[string]string{"Q": "queued", "S": "running", "T": "running", "E": "ended", "R": "requeued"}

func (p *pbs) job(line string) (procmon.Accounted, error) {
	var a procmon.Accounted
	parts := strings.SplitN(line, ";", 4)
	if len(parts) != 4 {
		return a, errors.New("not of the form TIME;TYPE;JOBID;MESSAGE")
	}
	when, err := time.ParseInLocation(pbsLayout, parts[0], p.opts.Zone)
	if err != nil {
		return a, fmt.Errorf("%q is no time as 11/22/2026 08:30:00", cut(parts[0]))
	}
	if when, err = inRange(parts[0], when); err != nil {
		return a, err
	}
	kind, id := parts[1], parts[2]
	a.State = pbsStates[kind]
	if a.State == "" || strings.Contains(id, "[]") { // such as licences; an array has no CPUs of its own
		return a, errOther
	}
	f, err := pbsFields(parts[3])
	if err != nil {
		return a, err
	}
	if err := pbsJob(&a.Job, id, f); err != nil {
		return a, err
	}
	a.Over = kind == "E" || kind == "R"
	if a.Over && f["start"] == "" { // deleted while it was queued, or Torque's R, which tells nothing
		return a, errOther
	}
	err = pbsAllocation(&a.Allocation, f)
	if !a.Over {
		a.End = zeroTime
	} else if a.End.IsZero() {
		a.End = when
	}
	if kind == "Q" && a.Submit.IsZero() {
		a.Submit = when
	}
	return a, err
}

// pbsFields takes KEY=VALUE apart. A value with spaces stands in double quotes
// in OpenPBS.
func pbsFields(s string) (map[string]string, error) {
	fields := make(map[string]string)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, " ") {
		key, rest, ok := strings.Cut(s, "=")
		if !ok || strings.ContainsAny(key, " \"") {
			return nil, fmt.Errorf("%q is not KEY=VALUE", cut(s))
		}
		var value string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok || rest != "" && rest[0] != ' ' {
				return nil, fmt.Errorf("the quotes of %s= are not closed", cut(key))
			}
		} else {
			value, rest, _ = strings.Cut(rest, " ")
		}
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("%s= stands there twice", cut(key))
		}
		fields[key], s = value, rest
	}
	return fields, nil
}

func pbsJob(j *procmon.Job, id string, f map[string]string) error {
	number, server, _ := strings.Cut(id, ".")
	digits := number
	if i := strings.IndexAny(number, "[-"); i >= 0 { // "2[3]", and of old Torque "2-3"
		digits = number[:i]
	}
	if _, ok := amount(digits); !ok {
		return fmt.Errorf("%q is no job id", cut(id))
	}
	j.ID, j.RawID, j.UID = id, id, procmon.NoUID
	if array, index, ok := strings.Cut(strings.TrimSuffix(number, "]"), "["); ok {
		j.ArrayJob, j.ArrayTask = array+"[]", index
		if server != "" {
			j.ArrayJob += "." + server
		}
	}
	switch { // what only one of the two writes
	case f["exec_vnode"] != "", f["run_count"] != "", f["project"] != "":
		j.Scheduler = "openpbs"
	case f["owner"] != "", f["Resource_List.neednodes"] != "", f["unique_node_count"] != "":
		j.Scheduler = "torque"
	}
	j.User, j.Account, j.Partition, j.Name = f["user"], f["account"], f["queue"], f["jobname"]
	if n, err := strconv.Atoi(f["run_count"]); err == nil && n >= 1 && n < 1e6 { // the first run is 1
		j.Restart = n - 1
		j.By[procmon.JobRestart] = procmon.EvidenceAccounting
	}
	return nil
}

func pbsAllocation(a *procmon.Allocation, f map[string]string) error {
	var errs [7]error
	seconds := func(s string) (time.Time, error) { return moment(s, time.UTC) }
	a.Submit, errs[0] = seconds(cmp.Or(f["ctime"], f["qtime"]))
	a.Start, errs[1] = seconds(f["start"])
	a.End, errs[2] = seconds(f["end"])
	a.Elapsed, errs[3] = span(f["resources_used.walltime"])
	a.CPU, errs[4] = span(f["resources_used.cput"])
	if s := f["Exit_status"]; s != "" {
		a.Exit, errs[5] = pbsExit(s)
	}
	if a.Start.IsZero() {
		return cmp.Or(errs[:]...)
	}
	if a.Hosts = vnodes(f["exec_vnode"]); a.Hosts == nil {
		a.Hosts = slots(f["exec_host"], f["exec_gpus"])
	}
	for _, h := range a.Hosts {
		a.CPUs += h.CPUs
		a.GPUs += h.GPUs
	}
	a.Nodes = len(a.Hosts)
	if a.CPUs == 0 {
		a.CPUs, errs[6] = count(cmp.Or(f["total_execution_slots"], f["resources_used.ncpus"], f["Resource_List.ncpus"]))
	}
	a.NodeList = nodeList(a.Hosts)
	return cmp.Or(errs[:]...)
}

// pbsExit reads PBS's Exit_status: from 256 on it is 256 and a signal, below 0
// PBS itself could not run the job, which is no exit code.
func pbsExit(s string) (*procmon.Exit, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || n >= 256+128:
		return nil, fmt.Errorf("%q is no exit status", cut(s))
	case n < 0:
		return nil, nil
	case n >= 256:
		return &procmon.Exit{Signal: n - 256}, nil
	}
	return &procmon.Exit{Code: n}, nil
}
