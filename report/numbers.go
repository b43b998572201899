package report

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// numbers are how many jobs and users there are in each row of a query, and in
// all of them, which is less than their sum. SQLite hands over lists of them, from
// the view used: its own count(DISTINCT) takes three times as long.
type numbers struct {
	rows        [][]any // the dimensions' values, then jobs and users
	jobs, users int64
}

// readNumbers counts for a query by dimensions of the view used.
func readNumbers(ctx context.Context, db Querier, q *Query, m mode) (*numbers, error) {
	s := m.begin()
	s.add("SELECT ")
	for i, d := range q.By {
		s.add(fmt.Sprintf("%s AS d%d, ", dimensionColumns[d].sql, i))
	}
	s.add("group_concat(one_job), group_concat(DISTINCT one_user) FROM (SELECT * FROM used")
	s.days(q)
	s.add(")")
	s.where(q)
	if q.leavesOut() {
		s.add(" AND NOT " + leftOut)
	}
	for i := range q.By {
		s.add(fmt.Sprintf("%s d%d", map[bool]string{true: " GROUP BY", false: ","}[i == 0], i))
	}
	n, width := &numbers{rows: [][]any{}}, len(q.By)
	jobs, users := make(set), make(set)
	err := each(ctx, db, s, width+2, func(raw []any) error {
		row := make([]any, width+2)
		for i := range q.By {
			if raw[i] != nil {
				row[i] = toText(raw[i])
			}
		}
		for i, all := range []set{jobs, users} {
			one := make(set)
			if err := one.addList(toText(raw[width+i])); err != nil {
				return err
			}
			row[width+i] = one.len()
			all.addSet(one)
		}
		n.rows = append(n.rows, row)
		return nil
	})
	n.jobs, n.users = jobs.len(), users.len()
	return n, err
}

// join adds what was counted to facts, in their shape.
func (n *numbers) join(q *Query, facts *statement) error {
	list, err := json.Marshal(n.rows)
	if err != nil {
		return err
	}
	facts.add(" UNION ALL SELECT ")
	for i := range q.By {
		facts.add(fmt.Sprintf("value ->> %d, ", i))
	}
	for i, name := range factShape {
		value := "NULL"
		switch name {
		case "left":
			value = "0"
		case "jobs":
			value = fmt.Sprintf("value ->> %d", len(q.By))
		case "users":
			value = fmt.Sprintf("value ->> %d", len(q.By)+1)
		}
		facts.add(map[bool]string{true: "", false: ", "}[i == 0] + value)
	}
	facts.add(" FROM json_each(?)", string(list))
	return nil
}

// set is a set of row numbers, 64 an entry: they lie close together.
type set map[int64]uint64

// addList adds numbers with commas between them.
func (s set) addList(list string) error {
	for list != "" {
		var number string
		number, list, _ = strings.Cut(list, ",")
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("reading the index: a list of row numbers: %w", err)
		}
		s[id>>6] |= 1 << (id & 63)
	}
	return nil
}

func (s set) addSet(o set) {
	for at, ids := range o {
		s[at] |= ids
	}
}

func (s set) len() (n int64) {
	for _, ids := range s {
		n += int64(bits.OnesCount64(ids))
	}
	return n
}
