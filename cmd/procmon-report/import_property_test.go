package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/collector/syslog"
	"procmon/index"
	"procmon/report"
	"procmon/report/reporttest"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests, 0: a new one")

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// TestImportAgrees gives random records of three hosts to an index directly, and
// as JSON lines in any order, some twice, to another one: all views and all reports are equal.
func TestImportAgrees(t *testing.T) {
	rnd := seeded(t)
	records := randomRecords(rnd, 400)
	direct := filepath.Join(t.TempDir(), "direct.db")
	writer, err := index.Open(t.Context(), index.Options{Path: direct, Host: "n0", Boot: reporttest.Boot, Now: func() time.Time { return reporttest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(records, 50) {
		if err := writer.Write(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	files := disorder(t, rnd, linesOf(t, records), dir)
	imported := filepath.Join(dir, "imported.db")
	first := run(t, imported, files...)
	before := views(t, imported)
	if diff := cmp.Diff(views(t, direct), before); diff != "" {
		t.Fatalf("views (-direct +imported):\n%.4000s", diff)
	}
	again := run(t, imported, files[len(files)-1], files[0])
	if diff := cmp.Diff(before, views(t, imported)); diff != "" || !strings.Contains(again, " 0 runs new, 0 updated, ") {
		t.Fatalf("importing twice changes something; first %q, then %q:\n%.4000s", first, again, diff)
	}
	for _, by := range report.Dimensions {
		args := []string{"procmon-report", "--by", string(by), "--all", "--last", "30d", "--format", "csv"}
		if a, b := said(t, append(args, "--index", direct)), said(t, append(args, "--index", imported)); a != b {
			t.Errorf("by %s:\n%s", by, cmp.Diff(a, b))
		}
	}
	for job := range 3 {
		args := []string{"procmon-report", "job", fmt.Sprint(100 + job), "--format", "json"}
		if a, b := said(t, append(args, "--index", direct)), said(t, append(args, "--index", imported)); a != b {
			t.Errorf("job %d:\n%s", 100+job, cmp.Diff(a, b))
		}
	}
}

// run imports files and gives what it says.
func run(t *testing.T, to string, files ...string) string {
	t.Helper()
	return said(t, append([]string{"procmon-report", "import", "--strict", "--index", to}, files...))
}

func said(t *testing.T, argv []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	w := &world{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(string) string { return "" }, now: reporttest.Now, zone: time.UTC}
	if code := w.run(t.Context(), argv); code != 0 {
		t.Fatalf("%q: exit %d: %s", argv, code, errs.String())
	}
	return out.String()
}

// views are all rows of the documented views, in a fixed order.
func views(t *testing.T, path string) map[string][]string {
	t.Helper()
	r, err := index.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string][]string{}
	for _, view := range []string{"runs", "usage", "history", "jobs", "losses"} {
		rows, err := r.DB().QueryContext(t.Context(), "SELECT * FROM "+view)
		if err != nil {
			t.Fatal(err)
		}
		names, _ := rows.Columns()
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			text := ""
			for i, name := range names {
				if values[i] != nil && !strings.HasSuffix(name, "_key") { // numbers of rows
					text += fmt.Sprintf("%s=%v ", name, values[i])
				}
			}
			all[view] = append(all[view], text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
		slices.Sort(all[view])
	}
	return all
}

// linesOf has the daemon's own sink write the records.
func linesOf(t *testing.T, records []procmon.Record) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	sink, err := syslog.Open(t.Context(), syslog.Options{Address: "file:" + path, CommandLine: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// disorder spreads lines over files as they come from syslog, in any order.
func disorder(t *testing.T, rnd *rand.Rand, lines []string, dir string) (files []string) {
	t.Helper()
	for range len(lines) / 10 {
		lines = append(lines, lines[rnd.IntN(len(lines))])
	}
	rnd.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	headers := []string{"", "<14>Nov 22 08:24:52 procmon[1]: @cee: ", "2026-11-22T08:24:52.1+01:00 n1 procmon @cee:", "  "}
	for n := range 3 {
		var text bytes.Buffer
		for i := n; i < len(lines); i += 3 {
			fmt.Fprintf(&text, "%s%s\n", headers[rnd.IntN(len(headers))], lines[i])
		}
		path := filepath.Join(dir, fmt.Sprintf("runs.log.%d", n))
		if n == 0 { // without its last line feed
			text.Truncate(text.Len() - 1)
		}
		if n == 1 {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			if _, err := z.Write(text.Bytes()); err != nil || z.Close() != nil {
				t.Fatal(err)
			}
			text = packed
		}
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

// randomRecords are what daemons of three hosts tell of n runs, some losses and
// jobs, in the order of each host.
func randomRecords(rnd *rand.Rand, n int) []procmon.Record {
	var all []procmon.Record
	for i := range n {
		all = append(all, randomLife(rnd, i)...)
	}
	for i := range 10 {
		at := reporttest.Now.Add(-time.Duration(rnd.Int64N(int64(20 * 24 * time.Hour)))).Truncate(time.Microsecond)
		all = append(all, procmon.Record{Host: hostOf(rnd.IntN(3)), Boot: reporttest.Boot, Time: at.Add(time.Duration(rnd.IntN(1000))), Seq: uint64(i),
			Loss: &procmon.Loss{Count: uint64(rnd.IntN(50)), CPU: rnd.IntN(4) - 1, From: at.Add(-time.Hour), To: at, Reason: procmon.LossBuffer, Where: "procconn"}})
		job := randomJob(rnd, rnd.IntN(6))
		job.Step, job.Task, job.Evidence = "", "", procmon.EvidenceFacts
		all = append(all, procmon.Record{Host: hostOf(int(job.RawID[2]) % 3), Boot: reporttest.Boot, Time: at, Summary: &procmon.JobSummary{
			Job: job, CPUs: 4, GPUs: 1, Start: time.Unix(1795000000, 0), End: time.Unix(1795100000, 0),
			CgroupCPU: time.Duration(1+rnd.IntN(1e9)) * time.Microsecond, CgroupRead: time.Unix(1795099000, 0)}})
	}
	return all
}

func hostOf(n int) string { return fmt.Sprintf("node-%d.example", n) }

// randomLife is one run, told as a daemon tells it: at once, or in parts.
func randomLife(rnd *rand.Rand, i int) []procmon.Record {
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	start := reporttest.Now.Add(-time.Duration(rnd.Int64N(int64(25 * 24 * time.Hour))))
	uid := uint32(1000 + rnd.IntN(5))
	began := procmon.BootNS(1e15 + rnd.Int64N(1e15))
	args := pick("gmx\x00mdrun\x00", "sh\x00-c\x00echo 'a b'\n\x1b[31m\xff<script>\x00\x00", "", "./a.out\x00"+strings.Repeat("x", rnd.IntN(3000))+"\x00")
	run := procmon.Run{
		Process: &procmon.Process{
			Run:  procmon.RunID{Process: procmon.ProcessID{PID: int32(1 + i), Start: began.Ticks()}, Exec: began},
			Boot: reporttest.Boot, Time: start, PPID: int32(1 + rnd.IntN(400)), UID: uid, EUID: uid, LoginUID: procmon.NoUID, Comm: "c",
			Exe: pick("/usr/bin/gmx", "/home/\xff\n/a.out", "/bin/sh", ""), Cwd: "/", Args: []byte(args), ArgsBytes: len(args) + 5*rnd.IntN(2),
		},
		UserName: fmt.Sprint("user", uid), Start: start, Adopted: rnd.IntN(10) == 0,
		Application: procmon.Application{Name: pick("GROMACS", "", "R"), Version: pick("2023.3", "", "4.2"), Kind: procmon.AppKind(pick("application", "shell", "unknown")),
			Package: pick("GROMACS/2023.3", ""), Evidence: pick("easybuild", "names"), Script: pick("", "/home/x.R"), Image: pick("", "", "a.sif"), Rules: "7"},
	}
	if run.Adopted {
		run.Process.Run.Exec = 0
	}
	if rnd.IntN(3) > 0 {
		run.Parent = procmon.RunID{Process: procmon.ProcessID{PID: run.Process.PPID}, Exec: began - procmon.BootNS(rnd.Int64N(1e12))}
	}
	if rnd.IntN(8) == 0 {
		run.Process.EUID, run.Process.Missing = 0, procmon.MissingCwd|procmon.MissingEnv
	}
	if rnd.IntN(4) > 0 {
		run.Job = randomJob(rnd, rnd.IntN(6))
		if run.Job.UID != uid && run.Job.Evidence.Proved() {
			run.Job = procmon.Job{}
		}
	}
	return tellLife(rnd, hostOf(rnd.IntN(3)), run)
}

// randomJob is one of some jobs, of which one process knows more than another.
func randomJob(rnd *rand.Rand, n int) procmon.Job {
	id := fmt.Sprint(100 + n)
	j := procmon.Job{Scheduler: "slurm", Cluster: "c1", ID: id, RawID: id, Step: "batch", Task: "0", User: fmt.Sprint("user", 1000+n%5), UID: uint32(1000 + n%5),
		Evidence: procmon.EvidenceCgroup}
	proof := procmon.EvidenceCgroup
	if rnd.IntN(4) == 0 {
		j.Evidence, proof = procmon.EvidenceEnviron, procmon.EvidenceEnviron
	}
	for _, f := range []procmon.JobField{procmon.JobID, procmon.JobRawID, procmon.JobCluster, procmon.JobStep, procmon.JobTask, procmon.JobUser, procmon.JobRestart} {
		j.By[f] = proof
	}
	if rnd.IntN(2) == 0 {
		j.Account, j.Partition, j.By[procmon.JobAccount], j.By[procmon.JobPartition] = fmt.Sprint("acct", n), "cpu", proof, proof
	}
	if rnd.IntN(2) == 0 {
		j.Name, j.By[procmon.JobName] = fmt.Sprint("<b>job", n), procmon.EvidenceEnviron
	}
	return j
}

// tellLife cuts a run into the records that tell of it.
func tellLife(rnd *rand.Rand, host string, run procmon.Run) []procmon.Record {
	record := func(phase procmon.Phase, at time.Time, r procmon.Run) procmon.Record {
		return procmon.Record{Host: host, Boot: reporttest.Boot, Time: at, Phase: phase, Run: &r}
	}
	var u procmon.Usage
	at := run.Start
	spend := func(most time.Duration) *procmon.Usage {
		span := time.Duration(rnd.Int64N(int64(most)))
		at = at.Add(span)
		u.Add(procmon.Usage{User: span / 3, System: span / 50, MaxRSS: 4096 * uint64(rnd.IntN(1<<18)), RSSBound: rnd.IntN(4) == 0, Read: rnd.Uint64N(1 << 30), Write: rnd.Uint64N(1 << 20)})
		now := u
		return &now
	}
	end := func(r procmon.Run) procmon.Run {
		switch r.End = at; rnd.IntN(5) {
		case 0:
			r.Exit = &procmon.Exit{Signal: 9}
		case 1: // another execve
		case 2:
			r.Exit, r.End, r.Unknown = nil, time.Time{}, true
		default:
			r.Exit = &procmon.Exit{Code: rnd.IntN(3)}
		}
		return r
	}
	if rnd.IntN(3) == 0 {
		run.Usage = spend(10 * time.Second)
		run.Provisional = rnd.IntN(5) == 0
		return []procmon.Record{record(procmon.Whole, at, end(run))}
	}
	all := []procmon.Record{record(procmon.Start, at.Add(10*time.Second), run)}
	for range rnd.IntN(6) {
		run.Usage = spend(30 * time.Hour)
		all = append(all, record(procmon.Checkpoint, at, run))
	}
	if rnd.IntN(4) > 0 {
		run.Usage = spend(30 * time.Hour)
		all = append(all, record(procmon.End, at, end(run)))
	}
	return all
}
