package report

import "strings"

// measure is a column that is computed from the runs of a row.
type measure struct {
	Column
	sql string // "%s" stands where a FILTER clause goes
}

// over is the measure's SQL, over the rows that a condition keeps; empty: all.
func (m *measure) over(condition string) string {
	if condition != "" {
		condition = " FILTER (WHERE " + condition + ")"
	}
	return strings.ReplaceAll(m.sql, "%s", condition)
}

// oneJob tells jobs apart: a requeued job is the same job again.
const oneJob = `coalesce(cluster, '') || char(31) || coalesce(raw_job_id, sluid)`

// person is a user's name, or the number where no name is known.
const person = `coalesce(user, CAST(uid AS TEXT))`

var measures = []measure{
	{Column{"versions", "Versions", List, "", 3}, `json_group_array(DISTINCT version) FILTER (WHERE version IS NOT NULL)`},
	{Column{"jobs", "Jobs", Count, "?", 1}, `count(DISTINCT ` + oneJob + `)%s`},
	{Column{"users", "Users", Count, "?", 2}, `count(DISTINCT ` + person + `)%s`},
	{Column{"runs", "Runs", Count, "?", 1}, `coalesce(sum(runs)%s, 0)`},
	{Column{"failed", "Failed", Count, "?", 6}, `coalesce(sum(failed)%s, 0)`},
	{Column{"cpu_seconds", "CPU", Seconds, "?", 1}, `sum(cpu_seconds)%s`},
	{Column{"process_seconds", "Elapsed", Seconds, "?", 9}, `sum(elapsed_seconds)%s`},
	{Column{"max_rss_bytes", "Max RSS", Bytes, "?", 4}, `nullif(max(max_rss_bytes)%s, 0)`},
	{Column{"max_rss_upper_bound", "", Mark, "", 4}, `max(max_rss_bytes * 2 - max_rss_upper_bound)%s & 1`}, // of two equal ones an exact one counts
	{Column{"read_bytes", "Read", Bytes, "?", 10}, `sum(read_bytes)%s`},
	{Column{"write_bytes", "Written", Bytes, "?", 10}, `sum(write_bytes)%s`},
	{Column{"first", "First", Time, "?", 8}, `min("first")%s`},
	{Column{"last", "Last", Time, "?", 7}, `max("last")%s`},
}

// dimensionColumns are the columns of dimensions: their titles, what is shown
// for a missing value, and how to get at them in a view.
var dimensionColumns = map[Dimension]measure{
	Application: {Column{Title: "Application", Missing: "(unknown)"}, `application`},
	Version:     {Column{Title: "Version", Missing: "(unknown)"}, `version`},
	User:        {Column{Title: "User", Missing: "(unknown)"}, person},
	Account:     {Column{Title: "Account", Missing: "(none)"}, `account`},
	Job:         {Column{Title: "Job", Missing: "(none)"}, `coalesce(job_id, raw_job_id, sluid)`},
	Step:        {Column{Title: "Step", Missing: "(none)"}, `step_id`},
	Partition:   {Column{Title: "Partition", Missing: "(none)"}, `partition`},
	Host:        {Column{Title: "Host", Missing: "(unknown)"}, `host`},
	Cluster:     {Column{Title: "Cluster", Missing: "(none)"}, `cluster`},
	Executable:  {Column{Title: "Executable", Missing: "(unknown)"}, `executable`},
	Kind:        {Column{Title: "Kind", Missing: "(unknown)"}, `coalesce(kind, 'unknown')`},
	Day:         {Column{Title: "Day (UTC)", Missing: "(unknown)"}, `day`},
	Month:       {Column{Title: "Month (UTC)", Missing: "(unknown)"}, `substr(day, 1, 7)`},
}

func dimensionColumn(d Dimension) Column {
	c := dimensionColumns[d].Column
	c.Name = string(d)
	return c
}

// measuresOf lists the measures that a query shows.
func measuresOf(q *Query) []measure {
	var list []measure
	for _, m := range measures {
		if m.Name == "versions" && !listsVersions(q) {
			continue
		}
		list = append(list, m)
	}
	return list
}

// listsVersions says whether rows are applications of any version.
func listsVersions(q *Query) bool {
	version := false
	for _, d := range q.By {
		version = version || d == Version
	}
	return q.byApplication() && !version
}
