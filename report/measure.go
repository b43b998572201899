package report

import (
	"slices"
	"strings"
)

// measure is a column that is computed from the facts of a row.
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

// person is a user's name, or the number where no name is known.
const person = `coalesce(user, CAST(uid AS TEXT))`

// measures are computed from the columns of facts. A share has no SQL: it is
// of the total.
var measures = []measure{
	{Column{"versions", "Versions", List, "", 3}, `json_group_array(DISTINCT f_version) FILTER (WHERE f_version IS NOT NULL)`},
	{Column{"jobs", "Jobs", Count, "?", 1}, `count(DISTINCT f_job)%s`},
	{Column{"users", "Users", Count, "?", 2}, `count(DISTINCT f_person)%s`},
	{Column{"who", "Who", List, "", 3}, `json_group_array(DISTINCT f_person) FILTER (WHERE f_person IS NOT NULL)`},
	{Column{"runs", "Runs", Count, "?", 1}, `coalesce(sum(f_runs)%s, 0)`},
	{Column{"failed", "Failed", Count, "?", 6}, `coalesce(sum(f_failed)%s, 0)`},
	{Column{"cpu_seconds", "CPU", Seconds, "?", 1}, `coalesce(sum(f_cpu)%s, sum(0.0 * f_before)%s)`},
	{Column{"cpu_share", "Share", Share, "", 5}, `NULL`},
	{Column{"cpu_seconds_before", "Before", Seconds, "-", 1}, `sum(f_before)%s`},
	{Column{"cpu_seconds_change", "Change", Change, "", 1}, `coalesce(sum(f_cpu)%s, 0.0) - coalesce(sum(f_before)%s, 0.0)`},
	{Column{"change", "", Text, "", 2}, `CASE WHEN max(f_last)%s IS NULL AND sum(f_before)%s IS NOT NULL THEN 'gone'
		WHEN max(f_last)%s IS NOT NULL AND sum(f_before)%s IS NULL THEN 'new' END`},
	{Column{"process_seconds", "Elapsed", Seconds, "?", 9}, `sum(f_elapsed)%s`},
	{Column{"allocated_core_seconds", "Core time", Seconds, "", 5}, `sum(f_core)%s`},
	{Column{"allocated_gpu_seconds", "GPU time", Seconds, "", 5}, `sum(f_gpu)%s`},
	{Column{"max_rss_bytes", "Max RSS", Bytes, "?", 4}, `nullif((max(f_rss)%s + 1) / 2, 0)`},
	{Column{"max_rss_upper_bound", "", Mark, "", 4}, `max(f_rss)%s & 1`},
	{Column{"read_bytes", "Read", Bytes, "?", 10}, `sum(f_read)%s`},
	{Column{"write_bytes", "Written", Bytes, "?", 10}, `sum(f_write)%s`},
	{Column{"first", "First", Time, "?", 8}, `min(f_first)%s`},
	{Column{"last", "Last", Time, "?", 7}, `max(f_last)%s`},
}

// numbered are the measures that rows of facts bring ready where the query is
// numbered: they are no sums in the total.
var numbered = map[string]string{"jobs": `coalesce(sum(f_jobs)%s, 0)`, "users": `coalesce(sum(f_users)%s, 0)`}

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
	Exit:        {Column{Title: "Exit", Missing: "(unknown)"}, exitWay},
	Day:         {Column{Title: "Day (UTC)", Missing: "(unknown)"}, `day`},
	Month:       {Column{Title: "Month (UTC)", Missing: "(unknown)"}, `substr(day, 1, 7)`},
}

// exitWay is how a run ended, in a word or two.
const exitWay = `CASE WHEN open THEN 'running' WHEN exit_signal IS NOT NULL THEN 'signal ' || exit_signal ELSE CAST(exit_code AS TEXT) END`

func dimensionColumn(d Dimension) Column {
	c := dimensionColumns[d].Column
	c.Name = string(d)
	return c
}

// compared are the measures of a comparison.
var compared = []string{"cpu_seconds_before", "cpu_seconds_change", "change"}

// measuresOf lists the measures that a query shows.
func measuresOf(q *Query) []measure {
	all := slices.DeleteFunc(slices.Clone(measures), func(m measure) bool {
		return m.Name == "versions" && !listsVersions(q) || !q.Compare && slices.Contains(compared, m.Name) || m.Name == "who" && !q.Who ||
			!q.Allocated && strings.HasPrefix(m.Name, "allocated_")
	})
	for i := range all {
		if sql, ok := numbered[all[i].Name]; ok && q.numbered {
			all[i].sql = sql
		}
	}
	return all
}

// listsVersions says whether rows are applications of any version.
func listsVersions(q *Query) bool { return q.byApplication() && !slices.Contains(q.By, Version) }
