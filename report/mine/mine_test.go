package mine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon/report"
	"procmon/report/mine"
	"procmon/report/reporttest"
)

const alice, bob = 1001, 1002

func reply(t *testing.T, path string, uid uint32, q *mine.Question) *mine.Answer {
	t.Helper()
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return mine.Reply(t.Context(), path, uid, bytes.NewReader(b), reporttest.Now)
}

// No question, whatever it asks for, gets anything of another user's.
func TestReplyIsOfOneUserOnly(t *testing.T) {
	path := reporttest.Small(t)
	week := reporttest.Now.AddDate(0, 0, -7)
	var questions []*mine.Question
	for _, d := range report.Dimensions {
		for _, since := range []time.Time{{}, week, week.Truncate(24 * time.Hour)} {
			questions = append(questions, &mine.Question{Charts: true, Query: report.Query{By: []report.Dimension{d, report.User}, Since: since, All: true}})
		}
	}
	questions = append(questions,
		&mine.Question{Query: report.Query{By: []report.Dimension{report.Job, report.User, report.Executable}, Filters: []report.Filter{{By: report.User, Values: []string{"alice"}}}}},
		&mine.Question{Query: report.Query{By: []report.Dimension{report.User}, Filters: []report.Filter{{By: report.User, Values: []string{`x' OR 1 --`, "alice"}}}}},
		&mine.Question{Job: "1234", Runs: 1 << 30}, &mine.Question{Job: "4"}, &mine.Question{Job: "1300"},
	)
	for _, q := range questions {
		var b bytes.Buffer
		a := reply(t, path, bob, q)
		if a.Fault == mine.Failed {
			t.Errorf("%+v: %s", q, a.Why)
		}
		if err := a.Write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if q.Query.Filters != nil {
			if a.Page != nil && len(a.Page.Table.Rows) > 0 {
				t.Errorf("%+v: %v", q, a.Page.Table.Rows)
			}
			continue
		}
		for _, secret := range []string{"alice", "traj.xtc", "chem", "analyse", "2023.3", "4242"} {
			if strings.Contains(text, secret) {
				t.Errorf("%+v tells of %q", q, secret)
			}
		}
	}
}

func TestReply(t *testing.T) {
	path := reporttest.Small(t)
	since := reporttest.Now.AddDate(0, 0, -7).Truncate(24 * time.Hour)
	for _, c := range []struct {
		name  string
		q     *mine.Question
		fault mine.Fault
	}{
		{"table", &mine.Question{Query: report.Query{By: []report.Dimension{report.Application}, Since: since}}, mine.None},
		{"charts", &mine.Question{Charts: true, Query: report.Query{By: []report.Dimension{report.Day, report.Job}, Since: since}}, mine.None},
		{"job", &mine.Question{Job: "1234"}, mine.None},
		{"somebody else's job", &mine.Question{Job: "1300_1"}, mine.NoJob},
		{"wrong column", &mine.Question{Query: report.Query{Sort: "nonsense"}}, mine.Wrong},
		{"wrong range", &mine.Question{Query: report.Query{Since: reporttest.Now.AddDate(1, 0, 0)}}, mine.Wrong},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := reply(t, path, alice, c.q)
			if a.Fault != c.fault {
				t.Fatalf("fault %d: %s", a.Fault, a.Why)
			}
			if c.fault == mine.None && a.Job == nil && len(a.Page.Table.Rows) == 0 || a.Job != nil && len(a.Job.Jobs[0].Runs.Rows) != 6 {
				t.Error("nothing is told")
			}
			var b bytes.Buffer
			if err := a.Write(&b); err != nil {
				t.Fatal(err)
			}
			read, err := mine.Read(&b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, read, cmpopts.IgnoreUnexported(report.Query{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("an answer arrives as another (-sent +read):\n%s", diff)
			}
		})
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"Query":{"By":["user"],"Limit":-5,"Filters":[{"By":"job","Values":["1"]}]}}`))
	f.Add([]byte(`{"Job":"4_5","Runs":-1}`))
	f.Add([]byte(`[`))
	path := reporttest.Small(f)
	f.Fuzz(func(t *testing.T, question []byte) {
		a := mine.Reply(t.Context(), path, bob, bytes.NewReader(question), reporttest.Now)
		if a.Fault == mine.Failed {
			t.Errorf("%q: %s", question, a.Why)
		}
		if a.Page != nil {
			for _, row := range a.Page.Table.Rows {
				for _, v := range row {
					if v == "alice" {
						t.Errorf("%q: %v", question, row)
					}
				}
			}
		}
	})
}

// A busy daemon is asked again, an answer is taken, a fault becomes an error of package report.
func TestAsk(t *testing.T) {
	path, asked := reporttest.Small(t), new(atomic.Int32)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_ = mine.Reply(r.Context(), path, alice, r.Body, reporttest.Now).Write(w)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	a, err := mine.Ask(t.Context(), socket, &mine.Question{Job: "1234"})
	if err != nil || a.Job == nil || asked.Load() != 2 {
		t.Errorf("%v, %d times asked", err, asked.Load())
	}
	if _, err := mine.Ask(t.Context(), socket, &mine.Question{Job: "1300"}); !errors.Is(err, report.ErrNoJob) {
		t.Error(err)
	}
	if _, err := mine.Ask(t.Context(), socket, &mine.Question{Query: report.Query{Sort: "x"}}); !errors.Is(err, report.ErrQuery) || !strings.Contains(err.Error(), "unknown column") {
		t.Error(err)
	}
}
