package report

import (
	"fmt"
	"strings"
	"time"
)

// statement is SQL in the making, with its arguments.
type statement struct {
	strings.Builder
	args []any
	// jobs is the view in which jobs are looked up by their ids, so that SQLite
	// begins with them; empty: none.
	jobs string
}

func (s *statement) add(sql string, args ...any) {
	s.WriteString(sql)
	s.args = append(s.args, args...)
}

// join adds another statement.
func (s *statement) join(o *statement) { s.add(o.String(), o.args...) }

// union adds the rows of another statement.
func (s *statement) union(o *statement) {
	s.add(" UNION ALL ")
	s.join(o)
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
	if s.jobs != "" {
		s.add("job_key IN (SELECT job_key FROM " + s.jobs + " WHERE ")
		defer s.add(")")
	}
	s.add("job_id = ? OR raw_job_id = ? OR sluid = ?", id, id, id)
	for _, mark := range []byte("_+[.") { // as ranges, which an index can answer
		s.add(" OR job_id >= ? AND job_id < ?", id+string(mark), id+string(mark+1))
	}
}

// The columns that answered gives beside those of the table: before it which part of
// the answer a row is and its place there, after it how many rows there are and two Parts.
const (
	columnsBefore = 2
	columnsAfter  = 1 + 2*columnsOfPart
	columnsOfPart = 4
)

// answered is the statement of a whole answer, from all facts: the rows, then the total in one row.
func answered(q *Query, facts *statement, order string) *statement {
	s := new(statement)
	s.add("SELECT * FROM (SELECT 0 AS part, row_number() OVER (" + order + ") AS place, *, count(*) OVER ()" + strings.Repeat(", NULL", columnsAfter-1) + " FROM (SELECT ")
	for i := range q.By {
		s.add(fmt.Sprintf("d%d, ", i))
	}
	for i, m := range measuresOf(q) {
		s.add(map[bool]string{true: "", false: ", "}[i == 0] + m.over("") + " AS m_" + m.Name)
	}
	s.add(" FROM (")
	s.join(facts)
	s.add(") WHERE NOT f_left")
	for i := range q.By {
		s.add(fmt.Sprintf("%s d%d", map[bool]string{true: " GROUP BY", false: ","}[i == 0], i))
	}
	s.add(") ORDER BY place")
	if q.Limit > 0 {
		s.add(" LIMIT ?", q.Limit)
	}
	s.add(") UNION ALL ")
	s.totals(q, facts)
	s.add(" ORDER BY 1, 2")
	return s
}

// totals selects everything that a query asks for, in one row: its measures,
// then the Parts of what has no name and of what was left out.
func (s *statement) totals(q *Query, facts *statement) {
	s.add("SELECT 1, 0" + strings.Repeat(", NULL", len(q.By)))
	for _, m := range measuresOf(q) {
		if m.Unit == List { // of all rows it would be too long
			s.add(", NULL")
			continue
		}
		s.add(", " + m.over("NOT f_left"))
	}
	s.add(", NULL")
	for _, which := range []string{"NOT f_left AND NOT f_named", "f_left"} {
		for _, sum := range []string{"runs", "cpu", "core", "gpu"} {
			s.add(fmt.Sprintf(", sum(f_%s) FILTER (WHERE %s)", sum, which))
		}
	}
	s.add(" FROM (")
	s.join(facts)
	s.add(")")
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
		if m.Unit == List || m.Unit == Mark || m.Unit == Share {
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
	return "ORDER BY " + strings.Join(terms, ", "), nil
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
