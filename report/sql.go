package report

import (
	"fmt"
	"strings"
	"time"
)

// The views that a query can be answered from.
const (
	fromUsage = "usage"
	fromRuns  = "runs"
)

// The columns that both views have.
const (
	factColumns = `host, user, uid, cluster, job_id, raw_job_id, sluid, restart, claim_uid, step_id, account, partition, application, version, kind, executable`
	sumColumns  = `runs, failed, cpu_seconds, elapsed_seconds, max_rss_bytes, max_rss_upper_bound, read_bytes, write_bytes, "first", "last"`
)

// statement is SQL in the making, with its arguments.
type statement struct {
	strings.Builder
	args []any
}

func (s *statement) add(sql string, args ...any) {
	s.WriteString(sql)
	s.args = append(s.args, args...)
}

// facts selects rows of one shape from a source, those of the range only.
// A run counts on the day of its start, its costs on the day of its end, as
// the index books them: the rows of runs are taken apart to say the same.
func (s *statement) facts(source string, q *Query) {
	switch source {
	case fromRuns:
		s.add(`SELECT date(start, 'unixepoch') AS day, `+factColumns+`, 1 AS runs, 0 AS failed, 0.0 AS cpu_seconds,
			0.0 AS elapsed_seconds, NULL AS max_rss_bytes, 0 AS max_rss_upper_bound, 0 AS read_bytes, 0 AS write_bytes, start AS "first", start AS "last"
			FROM runs WHERE run_id >= ? AND run_id < ?`, micros(q.Since), micros(q.Until))
		s.add(` UNION ALL SELECT date(coalesce("end", ?), 'unixepoch'), `+factColumns+`, 0,
			coalesce(exit_code, 0) <> 0 OR coalesce(exit_signal, 0) <> 0, cpu_seconds,
			elapsed_seconds, max_rss_bytes, max_rss_upper_bound, read_bytes, write_bytes, coalesce("end", start), coalesce("end", start)
			FROM runs WHERE run_id < ? AND coalesce("end", ?) >= ? AND coalesce("end", ?) < ?`,
			open(q), micros(q.Until), open(q), unix(q.Since), open(q), unix(q.Until))
	default:
		s.add(`SELECT day, ` + factColumns + `, ` + sumColumns + ` FROM usage`)
		s.days(q)
	}
}

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

// where adds the filters.
func (s *statement) where(q *Query) {
	s.add(" WHERE 1")
	for _, f := range q.Filters {
		s.add(" AND ")
		s.filter(f)
	}
	if q.only != nil {
		s.key(q.only)
	}
}

// filter adds the condition of one filter.
func (s *statement) filter(f Filter) {
	column := dimensionColumns[f.By]
	s.add("(")
	for i, value := range f.Values {
		if i > 0 {
			s.add(" OR ")
		}
		switch {
		case value == column.Missing:
			s.add(column.sql + " IS NULL")
		case f.By == Job:
			s.job(value)
		case f.By == Application:
			s.add(column.sql+" = ? COLLATE NOCASE", value)
		default:
			s.add(column.sql+" = ?", value)
		}
	}
	if len(f.Values) == 0 {
		s.add("0")
	}
	s.add(")")
}

// job adds the condition that a job is the one that users call id. Slurm's
// arrays are 4_5, its heterogeneous jobs 4+1, OpenPBS has 2[3].server.
func (s *statement) job(id string) {
	s.add("job_id = ? OR raw_job_id = ? OR sluid = ?", id, id, id)
	for _, mark := range []byte("_+[.") { // as ranges, which an index can answer
		s.add(" OR job_id >= ? AND job_id < ?", id+string(mark), id+string(mark+1))
	}
}

// leftOut is true for rows that a report by application leaves out.
const leftOut = `coalesce(kind, 'unknown') IN ('launcher', 'shell', 'system')`

// grouped is the statement of a query's rows.
func grouped(source string, q *Query, order string) *statement {
	s := new(statement)
	s.add("SELECT ")
	for i, d := range q.By {
		s.add(fmt.Sprintf("%s AS d%d, ", dimensionColumns[d].sql, i))
	}
	for _, m := range measuresOf(q) {
		s.add(fmt.Sprintf("%s AS m_%s, ", m.over(""), m.Name))
	}
	s.add("count(*) OVER () FROM (")
	s.facts(source, q)
	s.add(")")
	s.where(q)
	if q.leavesOut() {
		s.add(" AND NOT " + leftOut)
	}
	for i := range q.By {
		s.add(fmt.Sprintf("%s d%d", map[bool]string{true: " GROUP BY", false: ","}[i == 0], i))
	}
	s.add(order)
	if q.Limit > 0 {
		s.add(" LIMIT ?", q.Limit)
	}
	return s
}

// totals is the statement of everything that a query asks for, in one row:
// its measures, then runs and CPU seconds of what has no name, then those of
// what was left out.
func totals(source string, q *Query) *statement {
	kept := "1"
	if q.leavesOut() {
		kept = "NOT " + leftOut
	}
	s := new(statement)
	s.add("SELECT ")
	for _, m := range measuresOf(q) {
		if m.Name == "versions" {
			s.add("NULL, ")
			continue
		}
		s.add(m.over(kept) + ", ")
	}
	for _, which := range []string{kept + " AND application IS NULL", "NOT (" + kept + ")"} {
		s.add(fmt.Sprintf("coalesce(sum(runs) FILTER (WHERE %[1]s), 0), coalesce(sum(cpu_seconds) FILTER (WHERE %[1]s), 0.0), ", which))
	}
	s.add("count(*) FROM (")
	s.facts(source, q)
	s.add(")")
	s.where(q)
	return s
}

// order is the ORDER BY of a query. Rows that are equal in it are ordered by
// their dimensions, so that a report is always the same.
func order(q *Query) (string, error) {
	name, reverse := strings.CutPrefix(q.Sort, "-")
	var known, terms []string
	for i, d := range q.By {
		known = append(known, string(d))
		if string(d) == name {
			terms = append(terms, fmt.Sprintf("d%d IS NULL, d%d%s", i, i, direction(reverse)))
		}
	}
	for _, m := range measuresOf(q) {
		if m.Unit == List || m.Unit == Mark {
			continue
		}
		known = append(known, m.Name)
		if m.Name == name || name == "" && m.Name == "cpu_seconds" {
			terms = append(terms, fmt.Sprintf("m_%s IS NULL, m_%s%s", m.Name, m.Name, direction(!reverse)))
		}
	}
	if len(terms) == 0 {
		return "", unknown("column to sort by", name, known)
	}
	if name == "" {
		terms = append(terms, "m_runs DESC")
		if len(q.By) > 0 && (q.By[0] == Day || q.By[0] == Month) {
			terms = append([]string{"d0"}, terms...)
		}
	}
	for i := range q.By {
		terms = append(terms, fmt.Sprintf("d%d", i))
	}
	return " ORDER BY " + strings.Join(terms, ", "), nil
}

func direction(down bool) string {
	if down {
		return " DESC"
	}
	return ""
}

// unix is a moment in the views' unit, seconds; the zero Time is before all.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// micros is a moment in the unit of run_id.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

const secondsADay = 24 * 60 * 60

// epochDay numbers the UTC days since 1970-01-01.
func epochDay(t time.Time) int64 { return t.Unix() / secondsADay }

// moment is the inverse of unix, to the microsecond.
func moment(seconds float64) time.Time {
	return time.UnixMicro(int64(seconds*1e6 + 0.5)).UTC()
}
