// Package mine carries users' questions about their own runs to a daemon that may read the
// index, and the answers back. The daemon says whose runs: a question can't.
//
// A question is JSON, as its reader must not trust it; an answer is encoding/gob, which keeps
// the types of all values and comes from root.
//
// Errors of Ask: those of package report for a wrong question, ErrBusy, ErrDaemon
// for what the daemon could not do, otherwise those of the connection.
package mine

import (
	"context"
	"database/sql"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"procmon/index"
	"procmon/report"
)

// Bounds of a question and its answer.
const (
	MaxQuestion = 64 << 10 // bytes
	MaxAnswer   = 32 << 20 // bytes
	MaxRuns     = 1000     // single runs of a job
)

// Question is what a user asks: a table, with charts or not, or a job.
type Question struct {
	Query  report.Query
	Charts bool
	Job    string // as users say its id; empty: the table
	Runs   int    // single runs of the job
}

// Answer is what the daemon says.
type Answer struct {
	Page  *report.Page      // of a table
	Job   *report.JobReport // of a job
	Fault Fault             // not None: neither of them
	Why   string            // of a fault
}

// Fault says what was wrong.
type Fault uint8

// The faults.
const (
	None   Fault = iota
	Wrong        // the question makes no sense
	NoJob        // no job of that id has a run of this user
	Failed       // the daemon could not do it
)

// Reply answers a question of one user from the index at path. All goes into the answer, errors too.
func Reply(ctx context.Context, path string, uid uint32, question io.Reader, now time.Time) *Answer {
	var q Question
	if err := json.NewDecoder(io.LimitReader(question, MaxQuestion)).Decode(&q); err != nil {
		return &Answer{Fault: Wrong, Why: err.Error()}
	}
	a, err := reply(ctx, path, uid, &q, now)
	var unknown *report.UnknownError
	switch {
	case err == nil:
		return a
	case errors.Is(err, report.ErrNoJob):
		return &Answer{Fault: NoJob, Why: fmt.Sprintf("%v, not of yours", err)}
	case errors.Is(err, report.ErrQuery), errors.As(err, &unknown):
		return &Answer{Fault: Wrong, Why: err.Error()}
	}
	return &Answer{Fault: Failed, Why: err.Error()}
}

func reply(ctx context.Context, path string, uid uint32, q *Question, now time.Time) (*Answer, error) {
	r, err := index.OpenOwn(ctx, path, uid)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tx, err := r.DB().BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if q.Job != "" {
		runs := q.Runs
		if runs <= 0 || runs > MaxRuns {
			runs = MaxRuns
		}
		found, err := report.FindJob(ctx, tx, q.Job, runs, now)
		if err != nil {
			return nil, err
		}
		for i := range found.Jobs {
			found.Jobs[i].Coverage.Recorded = -1 // of all users nothing is told
		}
		return &Answer{Job: found}, nil
	}
	info, err := r.Info(ctx)
	if err != nil {
		return nil, err
	}
	ask := q.Query
	ask.Now, ask.RunsFrom, ask.UsageFrom = now, info.RunsFrom, info.UsageFrom
	if ask.Limit <= 0 || ask.Limit > report.PageRows {
		ask.Limit = report.PageRows
	}
	page := new(report.Page)
	if q.Charts {
		page, err = report.SummarizePage(ctx, tx, ask)
	} else {
		page.Table, err = report.Summarize(ctx, tx, ask)
	}
	if err != nil {
		return nil, err
	}
	page.Table.Coverage.Recorded = -1
	return &Answer{Page: page}, nil
}

// Write sends an answer on.
func (a *Answer) Write(w io.Writer) error {
	register()
	return gob.NewEncoder(w).Encode(a)
}

// Read takes an answer.
func Read(r io.Reader) (*Answer, error) {
	register()
	a := new(Answer)
	err := gob.NewDecoder(io.LimitReader(r, MaxAnswer)).Decode(a)
	return a, err
}

// register names the one type of values in tables that gob does not know by itself.
func register() { gob.Register(time.Time{}) }
