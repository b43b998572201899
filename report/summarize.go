package report

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Querier asks the index: a *sql.DB, or better a *sql.Tx.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Summarize answers a query.
func Summarize(ctx context.Context, db Querier, q Query) (*Table, error) {
	q, err := q.normal()
	if err != nil {
		return nil, err
	}
	source, notes := choose(&q, modeOf(db))
	t := &Table{Query: q, Source: source, Notes: notes}
	for _, d := range q.By {
		t.Columns = append(t.Columns, dimensionColumn(d))
	}
	for _, m := range measuresOf(&q) {
		t.Columns = append(t.Columns, m.Column)
	}
	if err := t.answer(ctx, db); err != nil {
		return nil, err
	}
	if q.bare {
		return t, nil
	}
	t.Coverage, err = coverage(ctx, db, recorded(source, &q), q.Since, q.Until)
	return t, err
}

// answer reads the rows and the totals.
func (t *Table) answer(ctx context.Context, db Querier) error {
	q := &t.Query
	order, err := order(q)
	if err != nil {
		return err
	}
	m := modeOf(db)
	all := facts(t.Source, q, m)
	var counted *numbers
	if q.numbered {
		if counted, err = readNumbers(ctx, db, q, m); err != nil {
			return err
		}
		if err := counted.join(q, all); err != nil {
			return err
		}
		all = presummed(q, all)
	}
	relations := []relation{{"facts", all, func(s *statement) *statement { return presummed(q, s) }}}
	if q.wantsAllocation() {
		relations = append(relations, relation{"spans", spans(q, m), nil})
		if q.divides() || q.leavesOut() {
			relations = append(relations, relation{"parts", parts(q, m), nil})
		}
	}
	with, err := bring(ctx, db, relations...)
	if err != nil {
		return err
	}
	all = new(statement)
	all.add("SELECT * FROM facts")
	if q.wantsAllocation() {
		with.with("charged", charged(q, m))
		all.add(" UNION ALL SELECT * FROM charged")
	}
	ask := func(s *statement) *statement {
		whole := new(statement)
		whole.join(with)
		whole.add(" ")
		whole.join(s)
		return whole
	}
	if err := t.fill(ctx, db, ask(answered(q, all, order)), counted); err != nil {
		return err
	}
	t.share()
	if !q.wantsAllocation() || q.bare || slices.ContainsFunc(filtered(q.Filters), dividesJobs) {
		return nil
	}
	return t.allocate(ctx, db, ask(allocatedInAll(q, m)))
}

// fill reads the rows, the total, what was left out and what has no name. counted
// are numbers that SQLite does not know, nil: it knows all.
func (t *Table) fill(ctx context.Context, db Querier, s *statement, counted *numbers) error {
	width := len(t.Columns)
	err := each(ctx, db, s, columnsBefore+width+columnsAfter, func(raw []any) error {
		row, err := t.values(raw[columnsBefore:][:width])
		if err != nil {
			return err
		}
		after := raw[columnsBefore+width:]
		if toInt(raw[0]) == 0 {
			t.RowCount = int(toInt(after[0]))
			t.Rows = append(t.Rows, row)
			return nil
		}
		t.Total = row
		if counted != nil {
			row[t.column("jobs")], row[t.column("users")] = counted.jobs, counted.users
		}
		if t.Query.byApplication() {
			t.Unnamed, t.LeftOut = partOf(after[1:]), partOf(after[1+columnsOfPart:])
		}
		return nil
	})
	if len(t.Query.By) == 0 && t.empty() {
		t.Rows, t.RowCount = nil, 0 // a sum over nothing is no row
	}
	return err
}

func partOf(raw []any) Part {
	return Part{toInt(raw[0]), toFloat(raw[1]), Allocation{toFloat(raw[2]), toFloat(raw[3])}}
}

// share says how much of the CPU time each row has.
func (t *Table) share() {
	cpu, share := t.column("cpu_seconds"), t.column("cpu_share")
	whole := toFloat(t.Total[cpu])
	for _, row := range append(t.Rows, t.Total) {
		if row[cpu] != nil && whole > 0 {
			row[share] = toFloat(row[cpu]) / whole
		}
	}
}

// allocate reads what was allocated, and says what of it no row has.
func (t *Table) allocate(ctx context.Context, db Querier, s *statement) error {
	return each(ctx, db, s, 2, func(raw []any) error {
		if raw[0] == nil {
			return nil
		}
		t.Allocated = &Allocation{toFloat(raw[0]), toFloat(raw[1])}
		left := func(whole, out float64, name string) float64 {
			rest := whole - out - toFloat(t.Total[t.column(name)])
			if rest < whole*1e-9 { // what adding up floats makes of nothing
				return 0
			}
			return rest
		}
		t.Unattributed = Allocation{
			left(t.Allocated.CoreSeconds, t.LeftOut.CoreSeconds, "allocated_core_seconds"),
			left(t.Allocated.GPUSeconds, t.LeftOut.GPUSeconds, "allocated_gpu_seconds"),
		}
		return nil
	})
}

// column is the place of a column, by its name.
func (t *Grid) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// empty says whether nothing at all was found.
func (t *Table) empty() bool {
	return t.Total == nil || t.Total[t.column("last")] == nil && (!t.Query.Allocated || t.Total[t.column("allocated_core_seconds")] == nil)
}

// each runs a statement and hands on its rows, width values each.
func each(ctx context.Context, db Querier, s *statement, width int, row func([]any) error) error {
	rows, err := db.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return fmt.Errorf("asking the index: %w", err)
	}
	defer rows.Close()
	raw, into := make([]any, width), make([]any, width)
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
		if err := row(raw); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	return nil
}

// values gives a row of the database the types of its columns.
func (t *Grid) values(raw []any) ([]any, error) {
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		if raw[i] == nil && c.Unit != Mark {
			continue
		}
		switch c.Unit {
		case Count, Bytes:
			row[i] = toInt(raw[i])
		case Mark:
			row[i] = toInt(raw[i]) != 0
		case Seconds, Share, Change:
			row[i] = toFloat(raw[i])
		case Time:
			row[i] = moment(toFloat(raw[i]))
		case List:
			var list []string
			if err := json.Unmarshal([]byte(toText(raw[i])), &list); err != nil {
				return nil, fmt.Errorf("reading the index: %s: %w", c.Name, err)
			}
			slices.SortFunc(list, naturally)
			row[i] = list
		default:
			row[i] = toText(raw[i])
		}
	}
	return row, nil
}

// toText takes what the driver makes of a text; invalid UTF-8 becomes U+FFFD.
func toText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.ToValidUTF8(v, "\ufffd")
	case []byte:
		return strings.ToValidUTF8(string(v), "\ufffd")
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func toInt(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// naturally orders versions: runs of digits by their number.
func naturally(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
