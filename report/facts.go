package report

import (
	"fmt"
	"strings"
)

// The views that a query can be answered from, the largest first.
const (
	fromRuns    = "runs"
	fromUsage   = "usage"
	fromHistory = "history"
	fromTotals  = "totals" // jobs and users are counted from the view used
)

// Every question of Summarize is put to one relation, facts: rows of one shape
// from several places, each filling what it knows. A sum over facts is a sum
// over all of them, so the same dimensions group them all:
//
//	what ran   from the smallest view that has the query's dimensions
//	its jobs   from usage, where that view has no jobs, or their number from used
//	before     CPU time of the period before, with Compare
//	allocated  the jobs' core and GPU time, apportioned (allocated.go)
var factShape = []string{
	"left", "named", "job", "person", "version", "runs", "failed", "cpu", "elapsed", "rss", "read", "write", "first", "last",
	"before", "core", "gpu", "jobs", "users",
}

// How the rows of facts are summed when they are gathered from several
// indexes; what is not here is what they are grouped by.
var factSums = map[string]string{
	"runs": "sum", "failed": "sum", "cpu": "sum", "elapsed": "sum", "rss": "max", "read": "sum", "write": "sum",
	"first": "min", "last": "max", "before": "sum", "core": "sum", "gpu": "sum", "jobs": "sum", "users": "sum",
}

// leftOut is true for rows that a report by application leaves out.
const leftOut = `coalesce(kind, 'unknown') IN ('launcher', 'shell', 'system')`

// shaped selects rows of the shape of facts: the dimensions, and of the rest
// what values tells.
func (s *statement) shaped(q *Query, values map[string]string) {
	s.add("SELECT ")
	for i, d := range q.By {
		s.add(fmt.Sprintf("%s AS d%d, ", dimensionColumns[d].sql, i))
	}
	if q.leavesOut() {
		values["left"] = leftOut
	} else {
		values["left"] = "0"
	}
	for i, name := range factShape {
		value, ok := values[name]
		if !ok {
			value = "NULL"
		}
		s.add(fmt.Sprintf("%s%s AS f_%s", map[bool]string{true: "", false: ", "}[i == 0], value, name))
	}
}

// oneJob tells jobs apart: a requeued job is the same job again, and so is one
// that is only claimed. These are few, so that most are told by a number.
func (m mode) oneJob() string {
	if m.mixed {
		return `coalesce(cluster, '') || char(31) || coalesce(raw_job_id, sluid)`
	}
	return `CASE WHEN job_key = 0 THEN NULL WHEN coalesce(restart, 0) > 0 OR claim_uid IS NOT NULL THEN coalesce(
		(SELECT o.job_key FROM jobs o WHERE o.raw_job_id = f.raw_job_id AND o.cluster IS f.cluster
		ORDER BY coalesce(o.restart, 0) > 0 OR o.claim_uid IS NOT NULL, o.job_key LIMIT 1), job_key) ELSE job_key END`
}

// ran is what ran, from a view.
func ran(source string, q *Query, m mode) *statement {
	values := map[string]string{
		"named": "application IS NOT NULL", "person": person, "runs": "runs", "failed": "failed", "cpu": "cpu_seconds",
		"elapsed": "elapsed_seconds", "rss": "max_rss_bytes * 2 - max_rss_upper_bound", // of two equal ones an exact one counts
		"read": "read_bytes", "write": "write_bytes", "first": `"first"`, "last": `"last"`,
	}
	switch source {
	case fromTotals:
		delete(values, "person")
	case fromRuns, fromUsage:
		values["job"] = m.oneJob()
	}
	if listsVersions(q) {
		values["version"] = "version"
	}
	s := m.begin()
	s.shaped(q, values)
	s.add(" FROM (")
	s.rows(source, q)
	s.add(") f")
	s.where(q)
	return s
}

// jobsOf are the jobs of what ran, where the view that tells the sums has none.
func jobsOf(q *Query, m mode) *statement {
	s := m.begin()
	s.shaped(q, map[string]string{"job": m.oneJob()})
	s.add(" FROM (")
	s.rows(fromUsage, q)
	s.add(") f")
	s.where(q)
	s.add(" GROUP BY f_left, f_job")
	for i := range q.By {
		s.add(fmt.Sprintf(", d%d", i))
	}
	return s
}

// before is the CPU time of the period before.
func before(source string, q *Query, m mode) *statement {
	earlier := q.earlier()
	s := m.begin()
	s.shaped(q, map[string]string{"before": "cpu_seconds"})
	s.add(" FROM (")
	s.rows(source, &earlier)
	s.add(")")
	s.where(&earlier)
	return s
}

// facts is the statement of all rows that one index has.
func facts(source string, q *Query, m mode) *statement {
	s := ran(source, q, m)
	if source == fromHistory {
		s.union(jobsOf(q, m))
	}
	if q.Compare {
		s.union(before(source, q, m))
	}
	return s
}

// presummed is facts with as few rows as another grouping needs.
func presummed(q *Query, facts *statement) *statement {
	s := new(statement)
	var keys []string
	for i := range q.By {
		keys = append(keys, fmt.Sprintf("d%d", i))
	}
	s.add("SELECT " + strings.Join(keys, ", "))
	comma := len(keys) > 0
	for _, name := range factShape {
		if comma {
			s.add(", ")
		}
		comma = true
		if sum, ok := factSums[name]; ok {
			s.add(fmt.Sprintf("%s(f_%s) AS f_%s", sum, name, name))
			continue
		}
		keys = append(keys, "f_"+name)
		s.add("f_" + name)
	}
	s.add(" FROM (")
	s.join(facts)
	s.add(") GROUP BY " + strings.Join(keys, ", "))
	return s
}

// The columns that runs and usage have, as rows gives them.
const (
	factColumns = `host, user, uid, cluster, job_id, raw_job_id, sluid, restart, claim_uid, step_id, account, partition, application, version, kind, executable`
	sumColumns  = `runs, failed, cpu_seconds, elapsed_seconds, max_rss_bytes, max_rss_upper_bound, read_bytes, write_bytes, "first", "last"`
)

// rows selects rows of one shape from a view, those of the range only.
// A run counts on the day of its start, its costs on the day of its end, as
// the index books them: the rows of runs are taken apart to say the same.
func (s *statement) rows(source string, q *Query) {
	if source != fromRuns {
		s.add(`SELECT * FROM ` + source)
		s.days(q)
		return
	}
	const columns = factColumns + `, job_key, exit_code, exit_signal, open`
	s.add(`SELECT date(start, 'unixepoch') AS day, `+columns+`, 1 AS runs, 0 AS failed, 0.0 AS cpu_seconds,
		0.0 AS elapsed_seconds, NULL AS max_rss_bytes, 0 AS max_rss_upper_bound, 0 AS read_bytes, 0 AS write_bytes, start AS "first", start AS "last"
		FROM runs WHERE run_id >= ? AND run_id < ?`, micros(q.Since), micros(q.Until))
	// What ended in the range began in it, or not long before, or took long.
	early := micros(q.Since) - longRun*1e6
	for _, part := range []struct {
		began string
		args  []any
	}{
		{`run_id >= ? AND run_id < ?`, []any{early, micros(q.Until)}},
		{`run_id IN (SELECT run_id FROM long_runs WHERE run_id < ?)`, []any{early}},
	} {
		s.add(` UNION ALL SELECT date(coalesce("end", ?), 'unixepoch'), `+columns+`, 0,
			coalesce(exit_code, 0) <> 0 OR coalesce(exit_signal, 0) <> 0, cpu_seconds,
			elapsed_seconds, max_rss_bytes, max_rss_upper_bound, read_bytes, write_bytes, coalesce("end", start), coalesce("end", start)
			FROM runs WHERE `, open(q))
		s.add(part.began, part.args...)
		s.add(` AND coalesce("end", ?) >= ? AND coalesce("end", ?) < ?`, open(q), unix(q.Since), open(q), unix(q.Until))
	}
}

// longRun is the time in seconds beyond which the view long_runs has a run.
const longRun = 3600

// open is the moment to which the costs of a run that goes on are booked: the
// last one before now.
func open(q *Query) float64 { return unix(q.Now) - 1e-3 }

// days keeps the UTC days of a range.
func (s *statement) days(q *Query) {
	word := " WHERE "
	if !q.Since.IsZero() {
		s.add(word+`epoch_day >= ?`, epochDay(q.Since))
		word = " AND "
	}
	if q.Until.Before(q.Now) {
		s.add(word+`epoch_day < ?`, epochDay(q.Until))
	}
}
