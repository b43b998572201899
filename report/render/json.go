package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"procmon/report"
)

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// writeJSON writes {"query":…,"coverage":…,"rows":[…],"total":…,…}.
func writeJSON(w io.Writer, t *report.Table) error {
	return indented(w, object{
		{"query", jsonQuery(&t.Query, t.Source)},
		{"coverage", jsonCoverage(&t.Coverage)},
		{"rows", jsonRows(t.Columns, t.Rows)},
		{"total", jsonTotal(t)},
		{"left_out", jsonPart(&t.LeftOut)},
		{"unnamed", jsonPart(&t.Unnamed)},
		{"unattributed", jsonAllocated(t, &t.Unattributed)},
		{"allocated", jsonAllocated(t, t.Allocated)},
		{"notes", list(t.Notes)},
	})
}

// indented writes one value with line breaks between rows, so that people can
// read it and programs like grep find whole rows.
func indented(w io.Writer, o object) error {
	b, err := marshal(o)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = w.Write(escaped(out.Bytes()))
	return err
}

// escaped writes characters that a terminal would obey as \uXXXX, as JSON lets
// any character in a string be written: the text stays the same.
func escaped(doc []byte) []byte {
	out := make([]byte, 0, len(doc))
	for _, r := range string(doc) {
		switch {
		case r == '\n' || shown(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func jsonQuery(q *report.Query, source string) object {
	filters := object{}
	for _, f := range q.Filters {
		filters = append(filters, member{string(f.By), list(f.Values)})
	}
	return object{
		{"by", list(q.By)}, {"filters", filters}, {"since", jsonTime(q.Since)}, {"until", jsonTime(q.Until)},
		{"sort", q.Sort}, {"limit", q.Limit}, {"all", q.All}, {"compare", q.Compare}, {"allocated", q.Allocated}, {"source", source},
	}
}

func jsonRows(columns []report.Column, rows [][]any) []object {
	out := make([]object, len(rows))
	for i, row := range rows {
		out[i] = jsonRow(columns, row)
	}
	return out
}

func jsonRow(columns []report.Column, row []any) object {
	o := make(object, len(columns))
	for i, c := range columns {
		o[i] = member{c.Name, row[i]}
		if s, ok := row[i].([]string); ok {
			o[i].value = list(s)
		}
	}
	return o
}

func jsonPart(p *report.Part) object {
	return append(object{{"runs", p.Runs}, {"cpu_seconds", p.CPUSeconds}}, jsonAllocation(&p.Allocation)...)
}

func jsonAllocation(a *report.Allocation) object {
	return object{{"allocated_core_seconds", a.CoreSeconds}, {"allocated_gpu_seconds", a.GPUSeconds}}
}

// jsonAllocated is null where nothing is known of allocations.
func jsonAllocated(t *report.Table, a *report.Allocation) any {
	if t.Allocated == nil {
		return nil
	}
	return jsonAllocation(a)
}

// jsonTotal has the measures only.
func jsonTotal(t *report.Table) any {
	if t.Total == nil {
		return nil
	}
	o := object{{"rows", t.RowCount}}
	for i, c := range t.Columns {
		if c.Rank > 0 && c.Unit != report.List {
			o = append(o, member{c.Name, t.Total[i]})
		}
	}
	return o
}

func jsonCoverage(c *report.Coverage) object {
	losses, gaps := []object{}, []object{}
	var recorded any // null: not known
	if c.Recorded >= 0 {
		recorded = c.Recorded
	}
	byReason := object{}
	for _, r := range c.Reasons() {
		byReason = append(byReason, member{r.Reason, r.Runs})
	}
	for _, l := range c.Losses {
		losses = append(losses, object{
			{"reason", l.Reason}, {"source", l.Source}, {"of_runs", l.OfRuns}, {"events", l.Events}, {"uncounted", l.Uncounted}, {"hosts", l.Hosts},
			{"from", jsonTime(l.From)}, {"to", jsonTime(l.To)},
		})
	}
	for _, g := range c.Gaps {
		gaps = append(gaps, object{{"host", g.Host}, {"from", jsonTime(g.From)}, {"to", jsonTime(g.To)}})
	}
	return object{
		{"from", jsonTime(c.From)}, {"to", jsonTime(c.To)}, {"complete", c.Complete()}, {"recorded_runs", recorded},
		{"lost_runs", c.LostRuns}, {"lost_runs_by_reason", byReason}, {"lost_events", c.Lost},
		{"losses", losses}, {"gap_count", c.GapCount}, {"gaps", gaps},
	}
}

// jsonTime is RFC 3339 in UTC; null for no time.
func jsonTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// list is never null in JSON.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
