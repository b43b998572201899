package report

import "context"

// accountingColumns are those of the view allocations, but for the job's facts.
var accountingColumns = []Column{
	{Name: "state", Title: "State"}, {Name: "exit_code", Title: "Exit code", Unit: Count}, {Name: "exit_signal", Title: "Signal", Unit: Count},
	{Name: "cpus", Title: "CPUs", Unit: Count}, {Name: "gpus", Title: "GPUs", Unit: Count}, {Name: "nodes", Title: "Nodes", Unit: Count},
	{Name: "node_list", Title: "Node list"}, {Name: "submit", Title: "Submitted", Unit: Time}, {Name: "start", Title: "Start", Unit: Time},
	{Name: "end", Title: "End", Unit: Time}, {Name: "elapsed_seconds", Title: "Elapsed", Unit: Seconds}, {Name: "cpu_seconds", Title: "CPU used", Unit: Seconds},
	{Name: "allocated_core_seconds", Title: "Core time", Unit: Seconds}, {Name: "allocated_gpu_seconds", Title: "GPU time", Unit: Seconds},
}

// accounting asks what the scheduler's accounting says of the whole job.
func (j *JobDetail) accounting(ctx context.Context, db Querier, key *jobKey) error {
	j.Accounting.Columns = accountingColumns
	s := new(statement)
	s.add("SELECT ")
	for i, c := range accountingColumns {
		if i > 0 {
			s.add(", ")
		}
		s.add(`"` + c.Name + `"`)
	}
	s.add(" FROM allocations WHERE 1")
	s.key(key)
	return each(ctx, db, s, len(accountingColumns), j.Accounting.take)
}

// allocation asks what the job had of its hosts.
func (j *JobDetail) allocation(ctx context.Context, db Querier, key *jobKey) error {
	j.Hosts.Columns = []Column{
		{Name: "host", Title: "Host"}, {Name: "cpus", Title: "CPUs", Unit: Count, Missing: "?"}, {Name: "gpus", Title: "GPUs", Unit: Count, Missing: "?"},
		{Name: "start", Title: "Start", Unit: Time, Missing: "?"}, {Name: "end", Title: "End", Unit: Time, Missing: "?"},
		{Name: "cpu_seconds", Title: "CPU", Unit: Seconds, Missing: "?"}, {Name: "cgroup_cpu_seconds", Title: "CPU of its cgroup", Unit: Seconds},
	}
	s := new(statement)
	s.add(`SELECT host, max(cpus), max(gpus), min(start), max("end"), sum(cpu), max(cgroup) FROM (
		SELECT host, cpus, gpus, start, "end", NULL AS cpu, cgroup_cpu_seconds AS cgroup FROM jobs WHERE 1`)
	s.key(key)
	s.add(` AND coalesce(cpus, gpus, start, "end", cgroup_cpu_seconds) IS NOT NULL UNION ALL SELECT host, NULL, NULL, NULL, NULL, cpu_seconds, NULL FROM usage WHERE 1`)
	s.key(key)
	s.add(`) GROUP BY host ORDER BY host`)
	return each(ctx, db, s, len(j.Hosts.Columns), j.Hosts.take)
}

// take adds a row of the database.
func (t *Grid) take(raw []any) error {
	row, err := t.values(raw)
	t.Rows = append(t.Rows, row)
	return err
}
