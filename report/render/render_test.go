package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile is text that breaks careless output.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07", "two\nlines", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\ttab", "\rreturn", "bad\xff\xfeutf8", "\u202egnp.exe", "\u0000",
	`"quoted",;<script>alert(1)</script>&`, strings.Repeat("long ", 60), "日本語のプログラム", "",
}

// hostileIndex has it in every text that users control.
func hostileIndex(t *testing.T) report.Querier {
	t.Helper()
	var records []procmon.Record
	for i, text := range hostile {
		job := reporttest.SlurmJob("7", "7", text, text, text)
		job.Name, job.Partition, job.Task = text, text, text
		records = append(records, reporttest.Run{
			At: reporttest.Now.Add(-time.Hour + time.Duration(i)*time.Second), PID: int32(100 + i), PPID: 1, User: text, UID: uint32(2000 + i), Job: job,
			Application: procmon.Application{Name: text, Version: text, Kind: procmon.KindApplication}, Exe: text, Args: []string{text, text}, Elapsed: time.Second, CPU: time.Duration(len(hostile)-i) * time.Second,
		}.Record())
	}
	r, err := index.OpenReader(t.Context(), reporttest.Write(t, "n1", records...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.DB()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got, -update writes it anew):\n%s", path, diff)
	}
}

func TestHostileText(t *testing.T) {
	db := hostileIndex(t)
	table, err := report.Summarize(t.Context(), db, report.Query{
		By: []report.Dimension{report.Application, report.User, report.Step, report.Executable}, Now: reporttest.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	job, err := report.FindJob(t.Context(), db, "7", 100, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{Table, JSON, CSV} {
		for name, write := range map[string]func(*bytes.Buffer, Options) error{
			"summary": func(b *bytes.Buffer, o Options) error { return Write(b, table, o) },
			"job":     func(b *bytes.Buffer, o Options) error { return Job(b, job, o) },
		} {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b, Options{Format: format}); err != nil {
					t.Fatal(err)
				}
				checkHarmless(t, format, b.Bytes())
				golden(t, "hostile-"+name+"."+string(format), b.Bytes())
			})
		}
	}
}

// checkHarmless holds what each format promises whatever users typed.
func checkHarmless(t *testing.T, format Format, out []byte) {
	t.Helper()
	switch format {
	case JSON:
		if !json.Valid(out) {
			t.Error("this is no JSON")
		}
		checkTerminal(t, out)
	case CSV:
		rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("a spreadsheet would run %q", cell)
				}
			}
		}
	default:
		checkTerminal(t, out)
	}
}

func checkTerminal(t *testing.T, out []byte) {
	t.Helper()
	if i := bytes.IndexFunc(out, func(r rune) bool { return r != '\n' && !shown(r) }); i >= 0 {
		t.Errorf("%q would reach the terminal", out[i:min(len(out), i+10)])
	}
}

func TestEveryWidth(t *testing.T) {
	db := hostileIndex(t)
	table, err := report.Summarize(t.Context(), db, report.Query{By: []report.Dimension{report.Application, report.Host}, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	for columns := 30; columns < 200; columns += 7 {
		var b bytes.Buffer
		if err := Write(&b, table, Options{Width: columns}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := width(strings.TrimSuffix(line, "\n")); n > columns && strings.Contains(line, " ") && !strings.HasPrefix(line, "from ") {
				t.Errorf("width %d: a line of %d: %q", columns, n, line)
			}
		}
	}
}

func TestZonesAndColour(t *testing.T) {
	r, err := index.OpenReader(t.Context(), reporttest.Small(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	q := report.Query{By: []report.Dimension{report.User}, Now: reporttest.Now, Since: reporttest.Now.Add(-48 * time.Hour)}
	table, err := report.Summarize(t.Context(), r.DB(), q)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, table, Options{Color: true, Location: time.FixedZone("CET", 3600)}); err != nil {
		t.Fatal(err)
	}
	golden(t, "colour-cet.table", b.Bytes())
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorsAreTold(t *testing.T) {
	db := hostileIndex(t)
	table, err := report.Summarize(t.Context(), db, report.Query{By: []report.Dimension{report.User}, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	job, err := report.FindJob(t.Context(), db, "7", 100, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{Table, JSON, CSV} {
		o := Options{Format: format}
		for what, err := range map[string]error{"summary": Write(full{}, table, o), "job": Job(full{}, job, o), "coverage": Coverage(full{}, &report.CoverageReport{}, o)} {
			if !errors.Is(err, errFull) {
				t.Errorf("%s %s: error %v", format, what, err)
			}
		}
	}
	if err := Write(full{}, table, Options{Format: "xml"}); err == nil {
		t.Error("format xml: no error")
	}
}

// CSV and JSON tell the same numbers, exactly.
func TestExactNumbers(t *testing.T) {
	db := hostileIndex(t)
	table, err := report.Summarize(t.Context(), db, report.Query{By: []report.Dimension{report.Day}, Now: reporttest.Now})
	if err != nil {
		t.Fatal(err)
	}
	var j, c bytes.Buffer
	if err := errors.Join(Write(&j, table, Options{Format: JSON}), Write(&c, table, Options{Format: CSV})); err != nil {
		t.Fatal(err)
	}
	var doc struct{ Rows []map[string]json.RawMessage }
	if err := json.Unmarshal(j.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&c).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range rows[0] {
		if got := strings.Trim(string(doc.Rows[0][name]), `"`); got != rows[1][i] && (got != "null" || rows[1][i] != "") {
			t.Errorf("%s is %s in JSON, %s in CSV", name, got, rows[1][i])
		}
	}
	if len(doc.Rows[0]) != len(rows[0]) {
		t.Errorf("JSON has %d columns, CSV %d", len(doc.Rows[0]), len(rows[0]))
	}
}
