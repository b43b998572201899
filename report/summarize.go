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
	source, notes := choose(&q)
	t := &Table{Query: q, Source: source, Notes: notes}
	for _, d := range q.By {
		t.Columns = append(t.Columns, dimensionColumn(d))
	}
	for _, m := range measuresOf(&q) {
		t.Columns = append(t.Columns, m.Column)
	}
	if err := t.fill(ctx, db); err != nil {
		return nil, err
	}
	if err := t.sum(ctx, db); err != nil {
		return nil, err
	}
	t.Coverage, err = coverage(ctx, db, recorded(source, &q), q.Since, q.Until)
	return t, err
}

// fill reads the rows.
func (t *Table) fill(ctx context.Context, db Querier) error {
	order, err := order(&t.Query)
	if err != nil {
		return err
	}
	s := grouped(t.Source, &t.Query, order)
	return each(ctx, db, s, len(t.Columns)+1, func(raw []any) error {
		row, err := t.values(raw)
		if err != nil {
			return err
		}
		t.RowCount = int(toInt(raw[len(t.Columns)]))
		t.Rows = append(t.Rows, row)
		return nil
	})
}

// sum reads the totals, what was left out and what has no name.
func (t *Table) sum(ctx context.Context, db Querier) error {
	dims := len(t.Query.By)
	width := len(t.Columns) - dims
	s := totals(t.Source, &t.Query)
	err := each(ctx, db, s, width+5, func(raw []any) error {
		row, err := t.values(append(make([]any, dims), raw[:width]...))
		if err != nil {
			return err
		}
		t.Total = row
		if t.Query.byApplication() {
			t.Unnamed = Part{toInt(raw[width]), toFloat(raw[width+1])}
			t.LeftOut = Part{toInt(raw[width+2]), toFloat(raw[width+3])}
		}
		return nil
	})
	if len(t.Query.By) == 0 && t.empty() {
		t.Rows, t.RowCount = nil, 0 // a sum over nothing is no row
	}
	return err
}

// empty says whether nothing at all was found.
func (t *Table) empty() bool {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == "last" })
	return t.Total == nil || t.Total[i] == nil
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
		case Seconds:
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
