package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoJob is a job that the index does not know.
var ErrNoJob = errors.New("no such job in the index")

// MaxNotable is how many runs of a kind a report of a job picks out.
const MaxNotable = 10

// MaxJobs is how many jobs one report tells of singly.
const MaxJobs = 5

// JobReport is what one job id was: more than one job if it is an array or a
// heterogeneous job, was requeued, or was handed out in several clusters.
type JobReport struct {
	ID       string
	Now      time.Time
	Overview *Table      // all the jobs
	Jobs     []JobDetail // the first MaxJobs of them, oldest first
	Notes    []string
}

// JobDetail is one job.
type JobDetail struct {
	Facts        Grid // one row
	Accounting   Grid // what the scheduler's accounting says: one row, or none
	Hosts        Grid // its share of each host: what prolog and epilog told, its runs' CPU time and its cgroup's
	Steps        Grid
	Applications Grid
	Runs         Grid // oldest first, every run after its parent; column depth says how deep it stands
	Slowest      Grid // the runs that took longest, MaxNotable at most
	Failed       Grid // the first runs that failed, MaxNotable at most
	Exits        Grid // how many runs ended in which way, failures only
	RunCount     int  // single runs that there are, shown or not
	Coverage     Coverage
	Notes        []string
}

// mostRows bounds the overview of an array job.
const mostRows = 1000

// jobKey names one job of an index; nil is NULL.
type jobKey struct{ cluster, rawID, sluid, restart, claim any }

// key adds the conditions of one job.
func (s *statement) key(k *jobKey) {
	for _, c := range []struct {
		name  string
		value any
	}{{"raw_job_id", k.rawID}, {"sluid", k.sluid}, {"cluster", k.cluster}, {"restart", k.restart}, {"claim_uid", k.claim}} {
		if c.value == nil {
			s.add(" AND " + c.name + " IS NULL")
		} else {
			s.add(" AND "+c.name+" = ?", c.value)
		}
	}
}

// FindJob reports the jobs that users call id, with at most limit single runs
// of each. The error wraps ErrNoJob when there is none.
func FindJob(ctx context.Context, db Querier, id string, limit int, now time.Time) (*JobReport, error) {
	r := &JobReport{ID: id, Now: now}
	keep := make(map[string]*statement)
	for _, view := range []string{fromUsage, fromRuns, "jobs", "allocations"} {
		keep[view] = &statement{jobs: map[bool]string{true: "one.jobs"}[view == fromUsage || view == fromRuns]}
		keep[view].filter(Filter{Job, []string{id}})
	}
	all, err := views(ctx, db, keep)
	if err != nil {
		return nil, err
	}
	keys, err := r.find(ctx, all)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		if job, step, ok := cutStep(id); ok {
			return findStep(ctx, db, job, step, limit, now)
		}
		return nil, fmt.Errorf("%w: %q", ErrNoJob, id)
	}
	r.Overview, err = Summarize(ctx, all, Query{
		By: []Dimension{Cluster, Job, User}, Filters: []Filter{{Job, []string{id}}}, Now: now, Sort: "-first", Limit: mostRows, bare: true,
	})
	if err != nil {
		return nil, err
	}
	r.Overview.drop("jobs", "users")
	for i := range r.Jobs {
		if err := r.Jobs[i].fill(ctx, all, &keys[i], limit, now); err != nil {
			return nil, err
		}
	}
	for i := range r.Jobs { // asks for more than the jobs' own rows
		if err := r.Jobs[i].cover(ctx, db, now); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// cutStep takes the step from what sacct calls a step: 1234.batch, 4_5.0.
func cutStep(id string) (job, step string, ok bool) {
	job, step, ok = strings.Cut(id, ".")
	_, err := strconv.ParseUint(step, 10, 32)
	return job, step, ok && job != "" && (err == nil || slices.Contains([]string{"batch", "extern", "interactive"}, step))
}

// findStep reports the job of a step.
func findStep(ctx context.Context, db Querier, job, step string, limit int, now time.Time) (*JobReport, error) {
	r, err := FindJob(ctx, db, job, limit, now)
	if err == nil {
		r.Notes = append(r.Notes, fmt.Sprintf("This is all of job %s; --by executable --job %s --step %s tells its step %s alone.", job, job, step, step))
	}
	return r, err
}

var factColumnsOfJob = []Column{
	{Name: "scheduler", Title: "Scheduler"}, {Name: "cluster", Title: "Cluster"}, {Name: "job", Title: "Job"},
	{Name: "raw_id", Title: "Raw id"}, {Name: "sluid", Title: "SLUID"}, {Name: "restart", Title: "Restart", Unit: Count},
	{Name: "name", Title: "Name"}, {Name: "account", Title: "Account"}, {Name: "partition", Title: "Partition"},
	{Name: "users", Title: "User", Unit: List}, {Name: "hosts", Title: "Hosts", Unit: List},
	{Name: "first", Title: "First run", Unit: Time}, {Name: "last", Title: "Last seen", Unit: Time},
	{Name: "runs", Title: "Runs", Unit: Count}, {Name: "failed", Title: "Failed", Unit: Count},
	{Name: "cpu_seconds", Title: "CPU", Unit: Seconds}, {Name: "max_rss_bytes", Title: "Max RSS", Unit: Bytes}, {Name: "max_rss_upper_bound", Unit: Mark},
	{Name: "read_bytes", Title: "Read", Unit: Bytes}, {Name: "write_bytes", Title: "Written", Unit: Bytes},
}

// find finds the jobs, the facts of the first of them, and their keys.
func (r *JobReport) find(ctx context.Context, db Querier) (keys []jobKey, err error) {
	s := new(statement)
	s.add(`SELECT scheduler, cluster, job_id, raw_job_id, sluid, restart, job_name, account, partition,
		coalesce(nullif(json_group_array(DISTINCT ` + person + `) FILTER (WHERE runs IS NOT NULL), '[]'),
			json_group_array(DISTINCT ` + person + `) FILTER (WHERE ` + person + ` IS NOT NULL)),
		json_group_array(DISTINCT host) FILTER (WHERE host IS NOT NULL), min("first"), max("last"),
		coalesce(sum(runs), 0), coalesce(sum(failed), 0), sum(cpu_seconds), max(max_rss_bytes),
		max(max_rss_bytes * 2 - max_rss_upper_bound) & 1, sum(read_bytes), sum(write_bytes), claim_uid FROM (`)
	s.jobs = modeOf(db).begin().jobs
	const ids = `scheduler, cluster, job_id, raw_job_id, sluid, restart, job_name, account, partition, user, uid, claim_uid, `
	s.add(`SELECT ` + ids + `host, ` + sumColumns + `, NULL AS began FROM usage WHERE `)
	s.filter(Filter{Job, []string{r.ID}})
	s.add(` UNION ALL SELECT ` + ids + `NULL, ` + nulls(sumColumns) + `, coalesce(start, submit) FROM allocations WHERE `)
	s.jobs = ""
	s.filter(Filter{Job, []string{r.ID}})
	s.add(`) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, claim_uid ORDER BY coalesce(min("first"), min(began)), length(raw_job_id), 4, 6`)
	jobs, restarted, clusters := 0, false, map[string]bool{}
	err = each(ctx, db, s, len(factColumnsOfJob)+1, func(raw []any) error {
		jobs++
		restarted = restarted || toInt(raw[5]) > 0
		clusters[toText(raw[1])] = true
		if len(r.Jobs) == MaxJobs {
			return nil
		}
		keys = append(keys, jobKey{cluster: raw[1], rawID: raw[3], sluid: raw[4], restart: raw[5], claim: raw[len(raw)-1]})
		facts := Grid{Columns: factColumnsOfJob}
		row, err := facts.values(raw[:len(raw)-1])
		facts.Rows = [][]any{row}
		r.Jobs = append(r.Jobs, JobDetail{Facts: facts})
		return err
	})
	r.several(jobs, restarted, len(clusters))
	return keys, err
}

// nulls is as many NULLs as there are columns in a list.
func nulls(columns string) string {
	return "NULL" + strings.Repeat(", NULL", strings.Count(columns, ","))
}

// several says why an id is more than one job.
func (r *JobReport) several(jobs int, restarted bool, clusters int) {
	if jobs < 2 {
		return
	}
	why := ""
	if clusters > 1 {
		why += fmt.Sprintf(" in %d clusters", clusters)
	}
	if restarted {
		why += ", requeued jobs once for each start"
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%s is %d jobs%s.", r.ID, jobs, why))
	if jobs > MaxJobs {
		r.Notes = append(r.Notes, fmt.Sprintf("The first %d are told singly; name one of the others to see it.", MaxJobs))
	}
}

// fill asks for everything but the facts.
func (j *JobDetail) fill(ctx context.Context, db Querier, key *jobKey, limit int, now time.Time) error {
	for _, part := range []struct {
		by   []Dimension
		into *Grid
		sort string
	}{{[]Dimension{Step}, &j.Steps, "-first"}, {[]Dimension{Application, Version}, &j.Applications, ""}} {
		t, err := Summarize(ctx, db, Query{By: part.by, Sort: part.sort, All: true, Now: now, Allocated: true, only: key, bare: true})
		if err != nil {
			return err
		}
		t.drop("jobs", "users")
		*part.into = t.Grid
	}
	if err := j.allocation(ctx, db, key); err != nil {
		return err
	}
	if err := j.accounting(ctx, db, key); err != nil {
		return err
	}
	if err := j.runs(ctx, db, key, limit); err != nil {
		return err
	}
	if err := j.notable(ctx, db, key); err != nil {
		return err
	}
	if err := j.evidence(ctx, db, key); err != nil {
		return err
	}
	if n := toInt(j.fact("runs")) - int64(j.RunCount); n > 0 {
		j.Notes = append(j.Notes, fmt.Sprintf("%d single runs were pruned; the sums count them.", n))
	}
	return nil
}

// cover asks how much was seen on the job's hosts while it ran.
func (j *JobDetail) cover(ctx context.Context, db Querier, now time.Time) (err error) {
	first, _ := j.fact("first").(time.Time)
	last, _ := j.fact("last").(time.Time)
	hosts, _ := j.fact("hosts").([]string)
	if toInt(j.fact("runs")) > 0 {
		j.Coverage, err = coverage(ctx, db, j.beside(first, last, hosts), first, last, hosts...)
		return err
	}
	j.Notes = append(j.Notes, "No run of it is recorded: all of this is the accounting's word.")
	for _, row := range j.Hosts.Rows {
		hosts = append(hosts, row[0].(string))
	}
	start, begun := value(&j.Accounting, "start").(time.Time)
	end, over := value(&j.Accounting, "end").(time.Time)
	if !begun || len(hosts) == 0 {
		j.Coverage.Recorded = -1
		return nil
	}
	if !over {
		end = now
	}
	j.Coverage, err = coverage(ctx, db, nil, start, end, hosts...)
	return err
}

// beside is the statement of the runs that were recorded on the job's hosts
// while it ran; nil where single runs are not kept any more.
func (j *JobDetail) beside(first, last time.Time, hosts []string) *statement {
	if int64(j.RunCount) < toInt(j.fact("runs")) || len(hosts) == 0 {
		return nil
	}
	s := new(statement)
	// Last is told to the millisecond.
	s.add(`SELECT count(*) AS runs FROM runs WHERE run_id >= ? AND run_id < ?`, micros(first), micros(last.Add(time.Millisecond)))
	s.on(hosts)
	return s
}

func (j *JobDetail) fact(name string) any { return value(&j.Facts, name) }

// value is a column of the one row of a grid, nil if there is no row.
func value(g *Grid, name string) any {
	if len(g.Rows) == 0 {
		return nil
	}
	i := slices.IndexFunc(g.Columns, func(c Column) bool { return c.Name == name })
	return g.Rows[0][i]
}

// drop takes columns away.
func (t *Table) drop(names ...string) {
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if !slices.Contains(names, t.Columns[i].Name) {
			continue
		}
		t.Columns = slices.Delete(t.Columns, i, i+1)
		t.Total = slices.Delete(t.Total, i, i+1)
		for r := range t.Rows {
			t.Rows[r] = slices.Delete(t.Rows[r], i, i+1)
		}
	}
}

// evidence counts the single runs and notes how they were found to be the
// job's.
func (j *JobDetail) evidence(ctx context.Context, db Querier, key *jobKey) error {
	s := new(statement)
	s.add(`SELECT json_group_array(DISTINCT job_evidence), json_group_array(DISTINCT unproved) FILTER (WHERE unproved IS NOT NULL), count(*) FROM runs WHERE 1`)
	s.key(key)
	return each(ctx, db, s, 3, func(raw []any) error {
		j.RunCount = int(toInt(raw[2]))
		var by, unproved []string
		if err := errors.Join(json.Unmarshal([]byte(toText(raw[0])), &by), json.Unmarshal([]byte(toText(raw[1])), &unproved)); err != nil {
			return fmt.Errorf("reading the index: evidence: %w", err)
		}
		if slices.Contains(by, "environ") {
			j.Notes = append(j.Notes, "Some runs are known to be this job's from their environment alone, which their user can forge.")
		}
		if len(unproved) > 0 {
			fields := dedupe(strings.Split(strings.Join(unproved, ","), ","))
			slices.Sort(fields)
			j.Notes = append(j.Notes, "Known from the environment alone, which users can forge: "+strings.Join(fields, ", ")+".")
		}
		return nil
	})
}
