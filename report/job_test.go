package report_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
	"procmon/report"
	"procmon/report/reporttest"
)

// jobIndex holds jobs whose ids are easily taken for one another.
func jobIndex(t *testing.T) report.Querier {
	t.Helper()
	at := reporttest.Now.Add(-48 * time.Hour)
	var records []procmon.Record
	add := func(j procmon.Job) {
		at = at.Add(time.Minute)
		records = append(records, reporttest.Run{
			At: at, PID: int32(100 + len(records)), PPID: 1, User: "alice", UID: 1001, Job: j,
			Exe: "/bin/x", Args: []string{"x"}, Elapsed: time.Second, CPU: time.Second, RSS: 1,
		}.Record())
	}
	slurm := func(id, raw string) procmon.Job { return reporttest.SlurmJob(id, raw, "0", "alice", "chem") }
	for _, j := range []procmon.Job{
		slurm("4_5", "9"), slurm("4_6", "4"), slurm("4", "4000"), slurm("40", "40"), slurm("40_1", "41"), slurm("4+1", "42"),
		{Scheduler: "openpbs", ID: "2[3].server", RawID: "2[3].server", Evidence: procmon.EvidenceCgroup},
		{Scheduler: "openpbs", ID: "7.server", RawID: "7.server", Evidence: procmon.EvidenceCgroup},
		slurm("100%", "100%"), slurm("日本_1", "51"),
	} {
		add(j)
	}
	again := slurm("60", "60")
	add(again)
	again.Restart = 1
	add(again)
	again.Cluster = "c2"
	add(again)
	for i := range report.MaxJobs + 2 {
		add(slurm(fmt.Sprintf("70_%d", i), fmt.Sprint(700+i)))
	}
	forged := slurm("80", "80")
	for f := range forged.By {
		forged.By[f] = procmon.EvidenceEnviron
	}
	forged.Evidence = procmon.EvidenceEnviron
	add(forged)
	return open(t, reporttest.Write(t, "n1", records...))
}

func TestFindJobAsUsersSayIt(t *testing.T) {
	db := jobIndex(t)
	for id, want := range map[string]string{
		"4_5": "4_5", "9": "4_5", "4": "4_5 4_6 4 4+1", "40": "40 40_1", "4+1": "4+1", "2[3]": "2[3].server", "2[3].server": "2[3].server",
		"2": "2[3].server", "7": "7.server", "100%": "100%", "1": "", "10": "", "": "", "_": "", "%": "", "4_": "", "日本": "日本_1", "60": "60 60 60",
		"70": "70_0 70_1 70_2 70_3 70_4",
	} {
		found, err := report.FindJob(t.Context(), db, id, 10, reporttest.Now)
		if want == "" {
			if !errors.Is(err, report.ErrNoJob) {
				t.Errorf("%q: error %v, want ErrNoJob", id, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		var got []string
		for _, j := range found.Jobs {
			got = append(got, fmt.Sprint(column(t, &j.Facts, "job")[0]))
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q, -want +got:\n%s", id, diff)
		}
	}
}

func TestJobNotes(t *testing.T) {
	db := jobIndex(t)
	for id, want := range map[string][]string{
		"60":  {"60 is 3 jobs in 2 clusters, requeued jobs once for each start."},
		"4_5": nil,
		"70":  {"70 is 7 jobs.", "The first 5 are told singly; name one of the others to see it."},
	} {
		found, err := report.FindJob(t.Context(), db, id, 10, reporttest.Now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, found.Notes); diff != "" {
			t.Errorf("%s, -want +got:\n%s", id, diff)
		}
	}
	found, err := report.FindJob(t.Context(), db, "80", 10, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(found.Jobs[0].Notes, "\n")
	for _, want := range []string{"environment alone, which their user can forge", "forge: account, cluster, id, name"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
}

func TestJobOfManyRunsIsBounded(t *testing.T) {
	var records []procmon.Record
	long := strings.Repeat("é", 10_000)
	for i := range 50 {
		records = append(records, reporttest.Run{
			At: reporttest.Now.Add(-time.Hour + time.Duration(i)*time.Second), PID: int32(100 + i), PPID: 1, User: "a", UID: 1001,
			Job: reporttest.SlurmJob("5", "5", "0", "a", "x"), Exe: "/bin/x", Args: []string{"x", long}, Elapsed: time.Second,
		}.Record())
	}
	found, err := report.FindJob(t.Context(), open(t, reporttest.Write(t, "n1", records...)), "5", 7, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	j := found.Jobs[0]
	if j.RunCount != 50 || len(j.Runs.Rows) != 7 {
		t.Errorf("%d of %d runs, want 7 of 50", len(j.Runs.Rows), j.RunCount)
	}
	line, _ := column(t, &j.Runs, "command_line")[0].(string)
	// The index keeps 4 KiB of it, half as many of these characters.
	if n := len([]rune(line)); n < 2000 || n > 4096 {
		t.Errorf("command line of %d characters, want 2000 to 4096", n)
	}
	if cut := column(t, &j.Runs, "command_cut")[0]; cut != int64(1) {
		t.Errorf("command_cut is %v", cut)
	}
}

func TestCoverageCountsAndLists(t *testing.T) {
	at := reporttest.Now.Add(-24 * time.Hour)
	var records []procmon.Record
	for i := range report.MaxGaps + 3 {
		from := at.Add(time.Duration(i) * 10 * time.Minute)
		records = append(records, procmon.Record{Time: at, Seq: uint64(i), Loss: &procmon.Loss{
			CPU: -1, From: from, To: from.Add(time.Duration(i+1) * time.Second), Reason: procmon.LossStopped, Where: "procconn",
		}})
	}
	for i, count := range []uint64{5, 0, 7} {
		records = append(records, procmon.Record{Time: at, Seq: uint64(100 + i), Loss: &procmon.Loss{
			Count: count, From: at, To: at, Reason: procmon.LossVanished, Where: "procconn",
		}})
	}
	db := open(t, reporttest.Write(t, "n1", records...))
	found, err := report.SummarizeCoverage(t.Context(), db, at.Add(-time.Hour), time.Time{}, reporttest.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := found.Coverage
	if c.GapCount != report.MaxGaps+3 || len(c.Gaps) != report.MaxGaps || c.Lost != 12 || c.Complete() {
		t.Errorf("%d gaps, %d listed, %d lost", c.GapCount, len(c.Gaps), c.Lost)
	}
	if longest := c.Gaps[0].To.Sub(c.Gaps[0].From); longest != (report.MaxGaps+3)*time.Second {
		t.Errorf("the first gap takes %s", longest)
	}
	if l := c.Losses[0]; l.Reason != procmon.LossVanished || l.Events != 12 || l.Uncounted != 1 || l.Hosts != 1 {
		t.Errorf("first loss %+v", l)
	}
	if got := column(t, &found.Hosts, "uncounted")[0]; got != int64(1) {
		t.Errorf("uncounted %v", got)
	}
	before, err := report.SummarizeCoverage(t.Context(), db, at.AddDate(0, 0, -9), at.AddDate(0, 0, -8), reporttest.Now)
	if err != nil || !before.Coverage.Complete() {
		t.Errorf("before: complete %v, error %v", before != nil && before.Coverage.Complete(), err)
	}
}
