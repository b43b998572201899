package accounting

import (
	"cmp"
	"fmt"
	"strings"

	"procmon"
)

// sacct reads sacct -P: a header with the names of the columns, then a line a
// job and step. Names and meanings are those of sacct(1).
type sacct struct {
	opts    Options
	header  string
	columns map[string]int // by name, in lower case
	width   int
}

func newSacct(header string, opts Options) (*sacct, error) {
	names := strings.Split(header, opts.Delimiter)
	s := &sacct{opts: opts, header: header, columns: make(map[string]int), width: len(names)}
	for i, name := range names {
		s.columns[strings.ToLower(name)] = i
	}
	_, raw := s.columns["jobidraw"]
	_, id := s.columns["jobid"]
	switch {
	case !raw && !id && opts.Delimiter != "|":
		return nil, fmt.Errorf("%w: no column JobIDRaw between delimiters %q", ErrFormat, cut(opts.Delimiter))
	case !raw && !id:
		return nil, ErrFormat
	case len(names) < 2:
		return nil, fmt.Errorf("%w: one column alone tells nothing of a job", ErrFormat)
	}
	return s, nil
}

// row is one line's columns.
type row struct {
	s      *sacct
	values []string
	errs   []error
}

// get is the value of the first of some columns that is there and says something.
func (r *row) get(names ...string) string {
	for _, name := range names {
		if i, ok := r.s.columns[name]; ok {
			if v := some(strings.TrimSpace(r.values[i])); v != "" {
				return v
			}
		}
	}
	return ""
}

func (s *sacct) job(line string) (procmon.Accounted, error) {
	var a procmon.Accounted
	if line == s.header { // of another output behind the first one
		return a, errHeader
	}
	r := &row{s: s, values: strings.Split(line, s.opts.Delimiter)}
	if len(r.values) != s.width {
		return a, fmt.Errorf("%d columns, the header has %d: a name holds a delimiter or a line break", len(r.values), s.width)
	}
	if err := r.ids(&a.Job); err != nil {
		return a, err
	}
	r.facts(&a.Job)
	r.allocation(&a.Allocation)
	return a, cmp.Or(r.errs...)
}

// ids finds out which job a line is of.
func (r *row) ids(j *procmon.Job) error {
	raw, said := r.get("jobidraw"), r.get("jobid")
	if strings.Contains(cmp.Or(raw, said), ".") {
		return errStep
	}
	if strings.Contains(said, "[") { // the tasks of an array that did not begin yet
		return errOther
	}
	j.Scheduler = "slurm"
	j.RawID, j.ID = raw, cmp.Or(said, raw)
	array, task, isArray := strings.Cut(said, "_")
	het, offset, isHet := strings.Cut(said, "+")
	switch {
	case isArray:
		j.ArrayJob, j.ArrayTask = array, task
	case isHet:
		j.HetJob, j.HetOffset = het, offset
	case raw == "":
		j.RawID = said
	}
	if j.RawID == "" {
		return fmt.Errorf("job %q of an array or a heterogeneous job needs the column JobIDRaw", cut(said))
	}
	for _, id := range []string{j.RawID, j.ArrayJob, j.ArrayTask, j.HetJob, j.HetOffset} {
		if _, ok := amount(id); id != "" && !ok {
			return fmt.Errorf("%q is no job id", cut(id))
		}
	}
	if said != "" && !isArray && !isHet && said != j.RawID {
		return fmt.Errorf("job id %q, raw %q", cut(said), cut(j.RawID))
	}
	return nil
}

func (r *row) facts(j *procmon.Job) {
	j.SLUID = r.get("sluid")
	j.Cluster = r.get("cluster")
	j.User, j.Account, j.Partition, j.Name = r.get("user"), r.get("account"), r.get("partition"), r.get("jobname")
	j.UID = value(r, uid, "uid")
	if text := r.get("restarts"); text != "" {
		j.Restart = value(r, count, "restarts")
		j.By[procmon.JobRestart] = procmon.EvidenceAccounting
	}
}

// value reads a column, and notes what is wrong with it.
func value[T any](r *row, read func(string) (T, error), names ...string) T {
	v, err := read(r.get(names...))
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", names[0], err))
	}
	return v
}

func (r *row) allocation(a *procmon.Allocation) {
	at := at(r.s.opts.Zone)
	a.State, _, _ = strings.Cut(r.get("state"), " ") // "CANCELLED by 1001"
	a.Submit, a.Start, a.End = value(r, at, "submit"), value(r, at, "start"), value(r, at, "end")
	a.Over = over(a.State) || a.State == "" && !a.End.IsZero()
	if !a.Over { // sacct can tell when it must have ended at the latest
		a.End = zeroTime
	} else if a.Exit = value(r, exit, "exitcode"); a.Exit == nil {
		a.Exit = value(r, exit, "derivedexitcode")
	}
	if elapsed := r.get("elapsedraw"); elapsed != "" {
		a.Elapsed = value(r, span, "elapsedraw")
	} else {
		a.Elapsed = value(r, span, "elapsed")
	}
	a.CPU = value(r, span, "totalcpu")
	// Before a job begins these say what it asked for.
	if _, ok := r.s.columns["start"]; ok && a.Start.IsZero() {
		a.Elapsed, a.CPU = 0, 0
		return
	}
	a.CPUs, a.GPUs, a.Nodes = tres(r.get("alloctres"))
	a.CPUs = cmp.Or(a.CPUs, value(r, count, "alloccpus", "ncpus"))
	if a.CPUs == 0 { // nothing was allocated
		return
	}
	a.Nodes = cmp.Or(a.Nodes, value(r, count, "allocnodes", "nnodes"))
	a.NodeList = r.get("nodelist")
	a.Hosts = expand(a.NodeList)
}

// over says whether a job in one of Slurm's states is over, as JOB STATE CODES
// of sacct(1) has them. An unknown one is.
func over(state string) bool {
	switch state {
	case "", "PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED",
		"REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT", "POWER_UP_NODE":
		return false
	}
	return true
}
