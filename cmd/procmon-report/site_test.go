package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"procmon/report/reporttest"
)

func contextWith(r *http.Request, c *caller) context.Context {
	return context.WithValue(r.Context(), callerKey{}, c)
}

func newSite(named ...string) *site {
	return &site{
		indexes: func() ([]string, error) { return indexes(named, onlyIndex) }, zone: time.UTC, now: func() time.Time { return reporttest.Now },
		logger: slog.New(slog.NewTextHandler(io.Discard, nil)), turns: make(chan struct{}, pagesAsked),
	}
}

func visitSite(t *testing.T, s *site, address string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", address, nil))
	return w
}

func TestSite(t *testing.T) {
	s := newSite(reporttest.Small(t))
	evil := `"><script>alert(1)</script>`
	for _, c := range []struct {
		address string
		code    int
		says    []string
	}{
		{"/", 200, []string{"<h1>Program runs by application</h1>", "GROMACS", "CPU time by day", "No range was given", `/?application=GROMACS&amp;by=version`}},
		{"/?by=job,user&last=7d", 200, []string{"1300_1", `href="/job?id=1300_1"`, `value="7d"`}},
		{"/?by=user&by=application&sort=runs&limit=1", 200, []string{"1 of 5 rows shown", `href="/?by=user&amp;by=application&amp;limit=1&amp;sort=cpu_seconds"`}},
		{"/?by=application&user=alice&since=2026-11-01&until=2026-11-22", 200, []string{"user alice", `value="alice"`, `value="2026-11-01"`}},
		{"/?user=nobody", 200, []string{"Nothing found"}},
		{"/?user=&account=&since=&limit=", 200, []string{"GROMACS"}},
		{"/?user=" + url.QueryEscape(evil), 200, []string{"&lt;script&gt;alert(1)"}},
		{"/?format=csv", 200, []string{"application,versions,", ",allocated_core_seconds,"}},
		{"/?by=user&allocated=1", 200, []string{"Core time", `name="allocated" value="1" checked`}},
		{"/?by=user&compare=on&last=1d", 200, []string{"gone", `compare=on`}},
		{"/?by=day&compare=on", 400, []string{"cannot be compared"}},
		{"/?format=json&by=user", 200, []string{`"user": "alice"`}},
		{"/job?id=1234", 200, []string{"<h1>Job 1234</h1>", "Timeline", "gmx_mpi mdrun -s", "signal 11"}},
		{"/job?id=1300", 200, []string{"1300_1", "1300_2"}},
		{"/job?id=99", 404, []string{"no such job"}},
		{"/job", 400, []string{"needs its id"}},
		{"/coverage?last=7d", 200, []string{"<h1>Coverage</h1>", "buffer full"}},
		{"/?by=nonsense", 400, []string{"unknown dimension"}},
		{"/?sort=nonsense", 400, []string{"unknown column"}},
		{"/?kind=nonsense", 400, []string{"unknown kind"}},
		{"/?since=nonsense", 400, []string{"is no time"}},
		{"/?last=7d&since=2026-01-01", 400, []string{"exclude each other"}},
		{"/?limit=x", 400, []string{"no number"}},
		{"/?format=table", 400, []string{"unknown format"}},
		{"/?token=secret&by=user", 200, []string{`name="token" value="secret"`, "token=secret"}},
		{"/etc/passwd", 404, nil},
	} {
		w := visitSite(t, s, c.address)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d: %.200s", c.address, w.Code, c.code, w.Body)
		}
		for _, text := range c.says {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s does not say %s", c.address, text)
			}
		}
		if strings.Contains(w.Body.String(), "<script>alert") {
			t.Errorf("%s runs a visitor's text", c.address)
		}
		if w.Code == 200 && !strings.Contains(c.address, "format=") && w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s is %s", c.address, w.Header().Get("Content-Type"))
		}
	}
}

// Every link of a page leads somewhere.
func TestSiteLinks(t *testing.T) {
	s := newSite(hostileIndex(t))
	seen, next := map[string]bool{"/": true}, []string{"/", "/?by=user,executable,job,account,partition,host,cluster,kind"}
	for len(next) > 0 && len(seen) < 60 {
		address := next[0]
		next = next[1:]
		w := visitSite(t, s, address)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d: %.200s", address, w.Code, w.Body)
		}
		for part := range strings.SplitSeq(w.Body.String(), ` href="`) {
			link, _, _ := strings.Cut(part, `"`)
			link = textOf(link)
			if strings.HasPrefix(link, "/") && !seen[link] {
				seen[link] = true
				next = append(next, link)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d links", len(seen))
	}
}

func TestSiteIsBusy(t *testing.T) {
	s := newSite(reporttest.Small(t))
	for range pagesAsked {
		s.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // who has gone waits for nothing
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
}

func TestSiteWithoutIndex(t *testing.T) {
	if w := visitSite(t, newSite("/nonexistent/x.db"), "/"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "nonexistent") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
