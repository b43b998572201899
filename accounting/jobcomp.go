package accounting

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"procmon"
)

// jobcomp reads what Slurm's plugin jobcomp/filetxt writes at the end of each
// job: KEY=VALUE, parted by spaces, which the job's name and directory may hold too.
type jobcomp struct{ opts Options }

// jobcompKeys are the keys, as src/plugins/jobcomp/filetxt writes them; those of arrays and
// heterogeneous jobs stand on such jobs' lines only.
var jobcompKeys = []string{
	"JobId", "UserId", "GroupId", "Name", "JobState", "Partition", "TimeLimit", "StartTime", "EndTime", "NodeList", "NodeCnt", "ProcCnt",
	"WorkDir", "ReservationName", "Tres", "Account", "QOS", "WcKey", "Cluster", "SubmitTime", "EligibleTime",
	"ArrayJobId", "ArrayTaskId", "HetJobId", "HetJobOffset", "DerivedExitCode", "ExitCode",
}

// fields takes a line apart. A key that stands there twice was put there by
// the user; which one is true cannot be told.
func (*jobcomp) fields(line string) (map[string]string, error) {
	fields, begin, last := make(map[string]string, len(jobcompKeys)), 0, ""
	line = " " + line
	for _, key := range jobcompKeys {
		mark := " " + key + "="
		i := strings.Index(line, mark)
		switch {
		case i < 0:
			continue
		case strings.Contains(line[i+1:], mark):
			return nil, fmt.Errorf("%s= stands there twice", key)
		case i < begin:
			return nil, fmt.Errorf("%s= stands before %s=", key, last)
		case last != "":
			fields[last] = strings.TrimSpace(line[begin:i])
		}
		begin, last = i+len(mark), key
	}
	if last != "" {
		fields[last] = strings.TrimSpace(line[begin:])
	}
	for _, key := range []string{"JobId", "UserId", "JobState", "ExitCode"} {
		if fields[key] == "" {
			return nil, fmt.Errorf("%s= is missing", key)
		}
	}
	return fields, nil
}

func (c *jobcomp) job(line string) (procmon.Accounted, error) {
	var a procmon.Accounted
	f, err := c.fields(line)
	if err != nil {
		return a, err
	}
	j := &a.Job
	j.Scheduler, j.RawID, j.ID = "slurm", f["JobId"], f["JobId"]
	if _, ok := amount(j.RawID); !ok {
		return a, fmt.Errorf("%q is no job id", cut(j.RawID))
	}
	switch {
	case f["ArrayTaskId"] != "":
		j.ArrayJob, j.ArrayTask = f["ArrayJobId"], f["ArrayTaskId"]
		j.ID = j.ArrayJob + "_" + j.ArrayTask
	case f["HetJobOffset"] != "":
		j.HetJob, j.HetOffset = f["HetJobId"], f["HetJobOffset"]
		j.ID = j.HetJob + "+" + j.HetOffset
	}
	name, number, ok := strings.Cut(strings.TrimSuffix(f["UserId"], ")"), "(")
	if !ok {
		return a, fmt.Errorf("UserId=%q is not as alice(1001)", cut(f["UserId"]))
	}
	var errs [6]error
	j.User = some(name)
	j.UID, errs[0] = uid(number)
	j.Cluster, j.Account, j.Partition, j.Name = some(f["Cluster"]), some(f["Account"]), some(f["Partition"]), f["Name"]
	at := at(c.opts.Zone)
	a.State, a.Over = f["JobState"], true
	a.Submit, errs[1] = at(f["SubmitTime"])
	a.Start, errs[2] = at(f["StartTime"])
	a.End, errs[3] = at(f["EndTime"])
	a.Exit, errs[4] = exit(f["ExitCode"])
	a.CPUs, a.GPUs, a.Nodes = tres(f["Tres"])
	if a.CPUs == 0 {
		a.CPUs, errs[5] = count(f["ProcCnt"])
	}
	if a.NodeList = some(f["NodeList"]); a.NodeList == "" { // it never began
		a.CPUs, a.GPUs, a.Nodes, a.Start = 0, 0, 0, zeroTime
	}
	a.Hosts = expand(a.NodeList)
	return a, cmp.Or(errs[:]...)
}

var zeroTime time.Time

// at reads times in a zone.
func at(zone *time.Location) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) { return moment(s, zone) }
}
