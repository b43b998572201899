package report

import (
	"context"
	"fmt"

	"procmon/index"
)

// Gatherer is a Querier over several indexes, such as *index.Several. Gather asks each of
// them and puts the answers into temporary tables; questions without Gather see these only.
type Gatherer interface {
	Querier
	Gather(ctx context.Context, questions []index.Gathering) error
}

// relation is a named statement that others select from.
type relation struct {
	name string
	*statement
	// sum is what a single index need not do: it makes fewer rows that say the same.
	sum func(*statement) *statement
}

// with begins a statement with another common table expression, evaluated once.
func (s *statement) with(name string, o *statement) {
	s.add(map[bool]string{true: "WITH ", false: ", "}[s.Len() == 0] + name + " AS MATERIALIZED (")
	s.join(o)
	s.add(")")
}

// bring makes relations available: from a single index as common table
// expressions, with which the statement begins that it gives; from several as
// temporary tables, and the statement is empty.
func bring(ctx context.Context, db Querier, relations ...relation) (*statement, error) {
	s := new(statement)
	g, several := db.(Gatherer)
	if !several {
		for _, r := range relations {
			s.with(r.name, r.statement)
		}
		return s, nil
	}
	var questions []index.Gathering
	for _, r := range relations {
		st := r.statement
		if r.sum != nil {
			st = r.sum(st)
		}
		questions = append(questions, index.Gathering{Table: r.name, SQL: st.String(), Args: st.args})
	}
	if err := g.Gather(ctx, questions); err != nil {
		return nil, fmt.Errorf("gathering from the indexes: %w", err)
	}
	return s, nil
}

// gathered is what a Gatherer has gathered, which is all there is then. The
// numbers of jobs in it are of several indexes.
type gathered struct{ Querier }

// mode says where rows come from.
type mode struct {
	several bool // relations are gathered from several indexes
	mixed   bool // numbers of jobs are not those of one index
}

func modeOf(db Querier) mode {
	_, several := db.(Gatherer)
	_, copied := db.(gathered)
	return mode{several, several || copied}
}

// begin is a statement over the views of one index, or over copies of their rows.
func (m mode) begin() *statement {
	s := new(statement)
	if m.several || !m.mixed {
		s.jobs = "jobs"
	}
	return s
}

// views copies rows of views, those that conditions keep, so that any question
// can be put to them. A single index needs no copy.
func views(ctx context.Context, db Querier, keep map[string]*statement) (Querier, error) {
	g, several := db.(Gatherer)
	if !several {
		return db, nil
	}
	var questions []index.Gathering
	for _, view := range []string{fromUsage, fromRuns, fromHistory, "jobs", "allocations", "losses"} {
		s := new(statement)
		s.add("SELECT * FROM one." + view + " WHERE ")
		if condition := keep[view]; condition != nil {
			s.join(condition)
		} else {
			s.add("0")
		}
		questions = append(questions, index.Gathering{Table: view, SQL: s.String(), Args: s.args})
	}
	if err := g.Gather(ctx, questions); err != nil {
		return nil, fmt.Errorf("gathering from the indexes: %w", err)
	}
	return gathered{g}, nil
}
