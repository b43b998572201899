package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"procmon"
	"procmon/report/reporttest"
)

// browser opens pages in a real one, with a profile of its own.
type browser struct{ program, profile string }

func newBrowser(t *testing.T) *browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return &browser{path, t.TempDir()}
		}
	}
	t.Skip("chromium is not installed; scripts/deps.sh chromium installs it")
	return nil
}

// open gives the document as it stands when its script has run. What the
// browser complains of is an error of the test.
func (b *browser) open(t *testing.T, address string, more ...string) string {
	t.Helper()
	const long = 90 * time.Second // a cold start on a busy machine
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr", "--no-first-run", "--virtual-time-budget=3000",
		"--user-data-dir=" + b.profile, "--window-size=1200,1500",
	}, more...)
	cmd := exec.CommandContext(ctx, b.program, append(args, address)...)
	var out, logged bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &logged, 5*time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, logged.String())
	}
	for line := range strings.Lines(logged.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("%s: %s", address, line)
		}
	}
	return out.String()
}

// artefact is where a picture is kept for people to look at.
func artefact(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs("../../build/artefacts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// shownRows are the first cells of the rows that a table shows, and its aria-sort by column.
func shownRows(t *testing.T, doc, id string) (rows []string, order map[string]string) {
	t.Helper()
	_, table, ok := strings.Cut(doc, `id="`+id+`"`)
	if !ok {
		t.Fatalf("no table %q in\n%s", id, doc)
	}
	table, _, _ = strings.Cut(table, "</table>")
	order = map[string]string{}
	for _, m := range regexp.MustCompile(`<th [^>]*>`).FindAllString(table, -1) {
		order[attribute(m, "data-column")] = attribute(m, "aria-sort")
	}
	_, body, _ := strings.Cut(table, "<tbody>")
	body, _, _ = strings.Cut(body, "</tbody>")
	for _, m := range regexp.MustCompile(`(?s)<tr([^>]*)><td[^>]*>(.*?)</td>`).FindAllStringSubmatch(body, -1) {
		if !strings.Contains(m[1], "hidden") {
			rows = append(rows, textOf(m[2]))
		}
	}
	return rows, order
}

func attribute(tag, name string) string {
	m := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return m[1]
}

func textOf(markup string) string {
	d := xml.NewDecoder(strings.NewReader(markup))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var text strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return text.String()
		}
		if c, ok := token.(xml.CharData); ok {
			text.Write(c)
		}
	}
}

// hostileIndex has a run whose user would like to run a script in the readers' browsers.
func hostileIndex(t *testing.T) string {
	t.Helper()
	path := reporttest.Small(t)
	evil := `<script>document.title="taken"</script>`
	job := reporttest.SlurmJob("66", "66", "batch", "eve", evil)
	reporttest.Append(t, path, "n1", reporttest.Run{
		At: reporttest.Now.Add(-time.Hour), PID: 666, User: "eve", UID: 1666, Job: job,
		Application: procmon.Application{Name: `"><img src=x onerror=document.title="taken">`, Version: "</script>" + evil, Kind: procmon.KindApplication},
		Exe:         "/home/eve/\u202egnp.<b>", Args: []string{evil, "\u202e", "bad\xff", `';document.title='taken`}, Elapsed: time.Minute, CPU: time.Second, RSS: 1 << 20,
	}.Record())
	return path
}

func TestIntegrationPagesInBrowser(t *testing.T) {
	b := newBrowser(t)
	index, dir := hostileIndex(t), t.TempDir()
	write := func(name string, args ...string) string {
		file := filepath.Join(dir, name)
		w := &world{out: io.Discard, err: os.Stderr, getenv: func(string) string { return "" }, now: reporttest.Now, zone: time.UTC}
		if code := w.run(t.Context(), append([]string{"procmon-report", "--index", index, "--format", "html", "--output", file}, args...)); code != 0 {
			t.Fatalf("exit %d", code)
		}
		return "file://" + file
	}
	report := write("report.html")
	t.Run("sorts", func(t *testing.T) {
		for sort, want := range map[string]struct {
			first, column, order string
		}{
			"":             {"GROMACS", "cpu_seconds", "none"},
			"application":  {`"><img src=x onerror=document.title="taken">`, "application", "ascending"},
			"-application": {"Python", "application", "descending"},
			"runs":         {"GROMACS", "runs", "descending"},
			"-runs":        {`"><img src=x onerror=document.title="taken">`, "runs", "ascending"},
			"-cpu_seconds": {`"><img src=x onerror=document.title="taken">`, "cpu_seconds", "ascending"},
			"nonsense":     {"GROMACS", "cpu_seconds", "none"},
		} {
			rows, order := shownRows(t, b.open(t, report+"#sort="+sort, "--dump-dom"), "rows")
			if len(rows) != 4 || rows[0] != want.first || order[want.column] != want.order {
				t.Errorf("sorted by %q: %q, %v", sort, rows, order)
			}
		}
	})
	t.Run("filters", func(t *testing.T) {
		doc := b.open(t, report+"#filter=grom%202023&sort=runs", "--dump-dom")
		if rows, _ := shownRows(t, doc, "rows"); !slices.Equal(rows, []string{"GROMACS"}) {
			t.Errorf("%q", rows)
		}
		if !strings.Contains(doc, "1 of 4 rows") || !strings.Contains(doc, `role="status"`) {
			t.Error("the page does not say how many rows are shown")
		}
	})
	t.Run("without script", func(t *testing.T) {
		page, err := os.ReadFile(strings.TrimPrefix(report, "file://"))
		if err != nil {
			t.Fatal(err)
		}
		if rows, _ := shownRows(t, string(page), "rows"); len(rows) != 4 || rows[0] != "GROMACS" || strings.Contains(string(page), "<button") || strings.Count(string(page), "<svg") != 4 {
			t.Errorf("%q", rows)
		}
		still, file := regexp.MustCompile(`(?s)<script>.*</script>`).ReplaceAllString(string(page), ""), filepath.Join(dir, "still.html")
		if err := os.WriteFile(file, []byte(still), 0o600); err != nil {
			t.Fatal(err)
		}
		b.open(t, "file://"+file, "--screenshot="+artefact(t, "report-without-script.png"))
	})
	t.Run("clicks", func(t *testing.T) { clicks(t, b, strings.TrimPrefix(report, "file://")) })
	t.Run("hostile text", func(t *testing.T) {
		for _, address := range []string{report, write("job.html", "job", "66"), write("executables.html", "--by-executable"), write("coverage.html", "coverage")} {
			if doc := b.open(t, address, "--dump-dom"); strings.Contains(doc, "<title>taken") || strings.Contains(doc, "<img") || strings.Count(doc, "<script>") != 1 {
				t.Errorf("%s was taken over", address)
			}
		}
	})
	job := write("job1234.html", "job", "1234")
	for name, picture := range map[string][]string{
		"report.png": {report}, "report-dark.png": {report, "--force-dark-mode", "--blink-settings=preferredColorScheme=0"}, "job.png": {job},
	} {
		file := artefact(t, name)
		b.open(t, picture[0], append(picture[1:], "--screenshot="+file)...)
		if st, err := os.Stat(file); err != nil || st.Size() < 10_000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.open(t, job, "--print-to-pdf="+artefact(t, "job.pdf"), "--no-pdf-header-footer")
}

// clicks uses a page as people do. The test's own script stands in a copy whose policy lets it run.
func clicks(t *testing.T, b *browser, file string) {
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`).ReplaceAllString(string(page), "")
	doc = strings.Replace(doc, "</body>", `<script>
		const head = () => document.querySelector('#rows th[data-column="application"]');
		const said = [];
		const first = () => document.querySelector("#rows tbody tr").cells[0].textContent;
		for (let i = 0; i < 3; i++) {
			head().querySelector("button").click();
			said.push(head().getAttribute("aria-sort") + ":" + first().slice(0, 6) + ":" + location.hash);
		}
		const input = document.querySelector("input[type=search]");
		input.value = "python";
		input.dispatchEvent(new Event("input"));
		said.push(location.hash, [...document.querySelectorAll("#rows tbody tr")].filter((r) => !r.hidden).length);
		document.title = said.join("|");
	</script></body>`, 1)
	copied := file + ".clicked.html"
	if err := os.WriteFile(copied, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	got := textOf(between(b.open(t, "file://"+copied, "--dump-dom"), "<title>", "</title>"))
	want := `ascending:"><img:#sort=application|descending:Python:#sort=-application|none:GROMAC:|#filter=python|1`
	if got != want {
		t.Errorf("clicked:\n%s, want\n%s", got, want)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}
