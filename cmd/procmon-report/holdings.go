package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"procmon/index"
	"procmon/report"
)

// holdings are what questions are put to: an index, or several that answer as one. They are used by
// one goroutine and for one answer. Questions see an index at one moment; several indexes
// are asked anew by each Gather.
type holdings struct {
	db      report.Querier
	info    func(context.Context) (index.Info, error)
	several *index.Several // nil: it is one index
	of      int            // how many indexes were named
	close   func() error
}

// openIndexes opens indexes. Of several those that cannot be read are left out.
func openIndexes(ctx context.Context, paths []string) (*holdings, error) {
	if len(paths) == 1 {
		return openOne(ctx, paths[0])
	}
	s, err := index.OpenSeveral(ctx, paths)
	if err != nil {
		return nil, err
	}
	return &holdings{db: s, info: s.Info, several: s, of: len(paths), close: s.Close}, nil
}

func openOne(ctx context.Context, path string) (*holdings, error) {
	r, err := index.OpenReader(ctx, path)
	if err != nil {
		return nil, err
	}
	tx, err := r.DB().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &holdings{db: tx, info: r.Info, of: 1, close: func() error {
		_ = tx.Rollback() // nothing was written
		return r.Close()
	}}, nil
}

// left says which indexes were left out, and why.
func (s *holdings) left() []error {
	if s.several == nil {
		return nil
	}
	return s.several.Left
}

// partly says in a sentence, if so, that an answer lacks what some indexes have.
func (s *holdings) partly() []string {
	switch n := len(s.left()); n {
	case 0:
		return nil
	case 1:
		return []string{fmt.Sprintf("1 of %d indexes was left out: this is of the others only.", s.of)}
	default:
		return []string{fmt.Sprintf("%d of %d indexes were left out: this is of the others only.", n, s.of)}
	}
}
