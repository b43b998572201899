package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"procmon/report"
	"procmon/report/render"
)

// Bounds of what one visitor can ask of a server.
const (
	pageTime   = 30 * time.Second // an answer takes at most
	pagesAsked = 4                // answers made at once
	pageWait   = 10 * time.Second // how long others wait for their turn
	jobRuns    = 2000             // single runs of a job
)

// site answers with pages. Who may ask is decided before.
type site struct {
	indexes func() ([]string, error) // looked up for each answer: files come and go
	zone    *time.Location
	now     func() time.Time
	logger  *slog.Logger
	turns   chan struct{} // holds one for each answer that is being made

	mu   sync.Mutex
	told []string // guarded by mu: what was left out last, and said
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page(s.report))
	mux.HandleFunc("GET /job", s.page(s.job))
	mux.HandleFunc("GET /coverage", s.page(s.coverage))
	return mux
}

// visit is one question to a site.
type visit struct {
	form     url.Values
	now      time.Time
	holdings *holdings
	options  render.Options
}

// page makes an answer, whole or not at all, when it is its turn.
func (s *site) page(write func(context.Context, *visit, *output) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTime)
		defer cancel()
		if !s.turn(ctx) {
			w.Header().Set("Retry-After", "10")
			http.Error(w, "busy with other questions; try again in a moment", http.StatusServiceUnavailable)
			return
		}
		defer func() { <-s.turns }()
		v := &visit{form: r.URL.Query(), now: s.now()}
		var b bytes.Buffer
		if err := s.answer(ctx, v, func() error { return write(ctx, v, &output{&b, v.options}) }); err != nil {
			s.refuse(w, r, err)
			return
		}
		kinds := map[render.Format]string{render.HTML: "text/html", render.CSV: "text/csv", render.JSON: "application/json"}
		w.Header().Set("Content-Type", kinds[v.options.Format]+"; charset=utf-8")
		if v.options.Format == render.CSV {
			w.Header().Set("Content-Disposition", `attachment; filename="procmon-report.csv"`)
		}
		_, _ = w.Write(b.Bytes()) // the visitor may have gone
	}
}

func (s *site) turn(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// open opens the indexes for one answer, so that those that were set aside or replaced are left.
func (s *site) open(ctx context.Context) (*holdings, error) {
	paths, err := s.indexes()
	if err != nil {
		return nil, err
	}
	return openIndexes(ctx, paths)
}

// check finds out whether the indexes can be read.
func (s *site) check(ctx context.Context) error {
	src, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.tell(src.left())
	return src.close()
}

// tell says in the server's messages what is left out of its answers, once for as long as it is.
func (s *site) tell(left []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now []string
	for _, err := range left {
		now = append(now, err.Error())
		if !slices.Contains(s.told, err.Error()) {
			s.logger.Warn("left out", "error", err)
		}
	}
	s.told = now
}

// answer opens what one question is put to.
func (s *site) answer(ctx context.Context, v *visit, f func() error) (err error) {
	format := render.Format(v.form.Get("format"))
	if format == "" {
		format = render.HTML
	}
	if format == render.Table || !slices.Contains(render.Formats, string(format)) {
		return &report.UnknownError{What: "format", Name: string(format), Known: []string{"html", "csv", "json"}}
	}
	v.options = render.Options{Format: format, Location: s.zone, Made: v.now}
	if v.holdings, err = s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.holdings.close()) }()
	v.options.Site = v.surroundings()
	err = f()
	s.tell(v.holdings.left())
	return err
}

// refuse says what was wrong with a question, and only that: what is wrong with
// the server is for its log.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch code := exitCode(err); {
	case errors.Is(err, report.ErrNoJob):
		http.Error(w, oneLine(err.Error()), http.StatusNotFound)
	case code == exitUsage:
		http.Error(w, oneLine(strings.ReplaceAll(err.Error(), "--", "")), http.StatusBadRequest)
	case errors.Is(err, context.DeadlineExceeded):
		http.Error(w, fmt.Sprintf("this takes longer than %s; ask for less", pageTime), http.StatusGatewayTimeout)
	default:
		if r.Context().Err() == nil {
			s.logger.Error("no answer", "address", r.URL.Path, "error", err)
		}
		http.Error(w, "the index can't be read at the moment; the server's messages say why", http.StatusInternalServerError)
	}
}

func (s *site) report(ctx context.Context, v *visit, out *output) error {
	q, err := v.query(s.zone)
	if err != nil {
		return err
	}
	_, ranged := v.given("since")
	for _, name := range []string{"until", "last"} {
		_, more := v.given(name)
		ranged = ranged || more
	}
	page, err := ask(ctx, v.holdings, q, ranged, out.options)
	if err != nil {
		return err
	}
	return writePage(out, page)
}

func (s *site) job(ctx context.Context, v *visit, out *output) error {
	id, ok := v.given("id")
	if !ok {
		return usagef("a job needs its id: /job?id=1234")
	}
	found, err := report.FindJob(ctx, v.holdings.db, id, jobRuns, v.now)
	if err != nil {
		return err
	}
	found.Notes = append(found.Notes, v.holdings.partly()...)
	return render.Job(out, found, out.options)
}

func (s *site) coverage(ctx context.Context, v *visit, out *output) error {
	since, until, err := span(clock{v.now, s.zone}, v.given)
	if err != nil {
		return err
	}
	found, err := report.SummarizeCoverage(ctx, v.holdings.db, since, until, v.now)
	if err != nil {
		return err
	}
	found.Notes = append(found.Notes, v.holdings.partly()...)
	return render.Coverage(out, found, out.options)
}

// given is a value of the form; an empty field is none.
func (v *visit) given(name string) (string, bool) {
	value := strings.TrimSpace(v.form.Get(name))
	return value, value != ""
}

// query is what the form asks for: its fields are called as the flags are.
func (v *visit) query(zone *time.Location) (report.Query, error) {
	q := report.Query{Sort: v.form.Get("sort"), All: v.form.Get("all") != "", Compare: v.form.Get("compare") != "", Now: v.now, Limit: report.PageRows}
	q.Allocated = v.form.Get("allocated") != "" || hasAll(v.options.Format)
	for _, list := range v.form["by"] {
		for name := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(name) == "" {
				continue
			}
			d, err := report.ParseDimension(name)
			if err != nil {
				return q, err
			}
			q.By = append(q.By, d)
		}
	}
	if len(q.By) == 0 {
		q.By = []report.Dimension{report.Application}
	}
	for _, f := range filters {
		values := slices.DeleteFunc(slices.Clone(v.form[f.flag]), func(s string) bool { return s == "" })
		if len(values) > 0 {
			q.Filters = append(q.Filters, report.Filter{By: f.by, Values: values})
		}
	}
	if text, ok := v.given("limit"); ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return q, usagef("limit %q is no number", text)
		}
		q.Limit = min(n, report.PageRows)
	}
	var err error
	q.Since, q.Until, err = span(clock{v.now, zone}, v.given)
	return q, err
}
