package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"procmon/report"
)

// nasty is what users may call things.
var nasty = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, `</title></style></script><b>`,
	"\u202egnp.exe", "bad\xff\xfe", "javascript:alert(1)", "a\x00b", "{{.Title}}", "<!--", "&lt;i&gt;", "]]>", "\x1b[31m",
}

func nastyPage(text string) *report.Page {
	now := time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)
	t := &report.Table{
		Grid: report.Grid{
			Columns: []report.Column{
				{Name: "user", Title: "User"}, {Name: "executable", Title: "Executable"}, {Name: "versions", Title: "Versions", Unit: report.List, Rank: 3},
				{Name: "cpu_seconds", Title: "CPU", Unit: report.Seconds, Rank: 1}, {Name: "last", Title: "Last", Unit: report.Time, Rank: 2},
			},
			Rows: [][]any{{text, text, []string{text}, 2.0, now}, {nil, nil, nil, nil, nil}},
		},
		Query: report.Query{
			By: []report.Dimension{report.User, report.Executable}, Now: now, Until: now,
			Filters: []report.Filter{{By: report.User, Values: []string{text}}},
		},
		Total: []any{nil, nil, nil, 2.0, now}, RowCount: 2, Notes: []string{"Said of " + text},
		Coverage: report.Coverage{To: now, Losses: []report.Loss{{Reason: text, Source: text, OfRuns: true, Events: 3}}, Gaps: []report.Gap{{Host: text, From: now, To: now}}, GapCount: 1},
	}
	bars := []report.Bar{{Label: text, CPUSeconds: 2, Runs: 1}}
	return &report.Page{Table: t, Charts: []report.Chart{{By: report.User, Bars: bars}, {By: report.Version, Of: text, Bars: bars}, {By: report.Day, Bars: bars}}}
}

func nastyJob(text string) *report.JobReport {
	columns := []report.Column{
		{Name: "depth", Unit: report.Count}, {Name: "host"}, {Name: "pid", Unit: report.Count}, {Name: "start", Unit: report.Time}, {Name: "end", Unit: report.Time},
		{Name: "step"}, {Name: "application"}, {Name: "version"}, {Name: "executable"}, {Name: "command_line"}, {Name: "elapsed_seconds", Unit: report.Seconds},
		{Name: "cpu_seconds", Unit: report.Seconds}, {Name: "max_rss_bytes", Unit: report.Bytes}, {Name: "exit_code", Unit: report.Count},
		{Name: "exit_signal", Unit: report.Count}, {Name: "outcome"},
	}
	now := time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)
	facts := report.Grid{
		Columns: []report.Column{{Name: "scheduler", Title: "Scheduler"}, {Name: "cluster", Title: "Cluster"}, {Name: "job", Title: "Job"}, {Name: "name", Title: "Name"}},
		Rows:    [][]any{{text, text, text, text}},
	}
	return &report.JobReport{ID: text, Now: now, Overview: &report.Table{}, Notes: []string{text}, Jobs: []report.JobDetail{{
		Facts: facts, Notes: []string{text}, RunCount: 1,
		Runs: report.Grid{Columns: columns, Rows: [][]any{{int64(0), text, int64(5), now, nil, text, text, text, text, text, nil, nil, nil, nil, nil, nil}}},
	}}}
}

func TestTextOfUsersStaysText(t *testing.T) {
	for _, text := range nasty {
		for _, site := range []*Site{nil, testSite()} {
			for name, write := range map[string]func(io.Writer, Options) error{
				"page": func(w io.Writer, o Options) error { return Page(w, nastyPage(text), o) },
				"job":  func(w io.Writer, o Options) error { return Job(w, nastyJob(text), o) },
			} {
				var b bytes.Buffer
				if err := write(&b, Options{Format: HTML, Site: site}); err != nil {
					t.Fatal(err)
				}
				checkPage(t, name, text, b.String())
			}
		}
	}
}

// testSite has the text of users in its addresses and its form, as a server does.
func testSite() *Site {
	return &Site{
		Home: "/", Places: []Place{{"Report", "/"}}, Fields: []Field{{Name: "user", Title: "User", Value: nasty[1]}, {Name: "all", Title: "All", Check: true, Value: "1"}},
		Link: func(_ report.Dimension, value string) string {
			return "/?user=" + strings.ReplaceAll(value, "\xff", "?")
		},
		Sort: func(c string) string { return "/?sort=" + c },
	}
}

// checkPage holds that a page has the elements of the template only, and that what runs is what
// its policy names.
func checkPage(t *testing.T, name, text, doc string) {
	t.Helper()
	for _, r := range doc {
		if r != '\n' && !shown(r) {
			t.Errorf("%s with %q holds %U", name, text, r)
		}
	}
	style, script := between(doc, "<style>", "</style>"), between(doc, "<script>", "</script>")
	policy := html.UnescapeString(between(doc, `http-equiv="Content-Security-Policy" content="`, `"`))
	for what, content := range map[string]string{"style-src": style, "script-src": script} {
		sum := sha256.Sum256([]byte(content))
		if want := what + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("%s: the policy %q lacks %q", name, policy, want)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: policy %q", name, policy)
	}
	body := strings.Replace(strings.Replace(doc, style, "", 1), script, "", 1)
	known := " html head meta link title style body a header nav h1 h2 p form input label button main section dl div dt dd table caption thead tbody tfoot tr th td figure figcaption svg line rect text details summary footer script "
	for _, m := range regexp.MustCompile(`<([a-zA-Z!][^\s>/]*)([^>]*)>`).FindAllStringSubmatch(body, -1) {
		if m[1] != "!DOCTYPE" && !strings.Contains(known, " "+m[1]+" ") {
			t.Errorf("%s with %q has an element %q", name, text, m[0])
		}
		if regexp.MustCompile(`(?i)\s(on[a-z]+|style|src)\s*=`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(m[2], `""`)) {
			t.Errorf("%s with %q has %q", name, text, m[0])
		}
		if strings.Contains(m[2], `href="javascript:`) || strings.Contains(m[2], "http:") || strings.Contains(m[2], "https:") {
			t.Errorf("%s with %q leads elsewhere: %q", name, text, m[0])
		}
	}
	if n := strings.Count(doc, "<script>"); n != 1 {
		t.Errorf("%s with %q has %d scripts", name, text, n)
	}
	if strings.Contains(text, "\xff") && !strings.Contains(doc, `bad\xff\xfe`) {
		t.Errorf("%s does not show %q", name, text)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// A page is well formed, its tables have captions, its pictures names.
func TestPageIsAccessible(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"page": func(w io.Writer) error { return Page(w, nastyPage("alice"), Options{}) },
		"job":  func(w io.Writer) error { return Job(w, nastyJob("4_5"), Options{Format: HTML}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		doc := b.String()
		doc = strings.Replace(doc, between(doc, "<script>", "</script>"), "", 1)
		d := xml.NewDecoder(strings.NewReader(doc))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		counts, ids := map[string]int{}, map[string]bool{}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			counts[e.Name.Local]++
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
			}
			if id := attributes["id"]; id != "" && ids[id] {
				t.Errorf("%s: two elements %q", name, id)
			} else {
				ids[id] = true
			}
			switch {
			case e.Name.Local == "svg" && (attributes["role"] != "img" || attributes["aria-label"] == ""),
				e.Name.Local == "th" && attributes["scope"] == "",
				e.Name.Local == "html" && attributes["lang"] == "":
				t.Errorf("%s: %s without a name", name, e.Name.Local)
			}
		}
		if counts["table"] == 0 || counts["table"] != counts["caption"] || counts["h1"] != 1 || counts["main"] != 1 || counts["svg"] == 0 {
			t.Errorf("%s: %v", name, counts)
		}
	}
}

// Colours of text differ from what is behind them by 4.5 to 1 at least (WCAG 2, 1.4.3), those of bars by 3 (1.4.11).
func TestContrast(t *testing.T) {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllSubmatch(style, -1)
	if len(schemes) != 3 { // light, dark, print
		t.Fatalf("%d schemes", len(schemes))
	}
	for i, scheme := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+): #([0-9a-f]+)`).FindAllSubmatch(scheme[1], -1) {
			colour[string(m[1])] = luminance(string(m[2]))
		}
		for _, c := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 7}, {"ink", "band", 7}, {"soft", "paper", 4.5}, {"soft", "band", 4.5}, {"link", "paper", 4.5}, {"link", "band", 4.5},
			{"bar", "paper", 3}, {"bad", "paper", 3}, {"open", "paper", 3},
		} {
			light, dark := max(colour[c.front], colour[c.back]), min(colour[c.front], colour[c.back])
			if ratio := (light + 0.05) / (dark + 0.05); math.IsNaN(ratio) || ratio < c.least {
				t.Errorf("scheme %d: %s on %s is %.1f to 1, want %.1f", i, c.front, c.back, ratio, c.least)
			}
		}
	}
}

// luminance of a colour as WCAG 2 reckons it.
func luminance(hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	weights, sum := []float64{0.2126, 0.7152, 0.0722}, 0.0
	for i, weight := range weights {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			return math.NaN()
		}
		v := float64(n) / 255
		if v <= 0.03928 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
