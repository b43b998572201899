package render

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"procmon"
	"procmon/report"
)

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		recorded, lost int64
		want           string
	}{
		{0, 0, "100"}, {5, 0, "100"}, {0, 5, "0"}, {1, 1, "50"}, {1, 2, "33.3"}, {986, 14, "98.6"}, {9, 991, "0.9"},
		{599_988, 12, "99.998"}, {600_000, 12, "99.998"}, {999, 1, "99.9"}, {9_999, 1, "99.99"}, {999_999_999, 1, "99.9999999"},
		{1_000_000, 14, "99.998"},                    // never more than was seen
		{math.MaxInt64 - 1, 1, "99.999999999999999"}, // never 100
	} {
		if got := percent(test.recorded, test.lost); got != test.want {
			t.Errorf("%d recorded, %d lost: %s, want %s", test.recorded, test.lost, got, test.want)
		}
	}
}

// loss is one of a reason; at most one gap lies in it.
func loss(reason, where string, events, uncounted int64) report.Loss {
	return report.Loss{Reason: reason, Source: where, OfRuns: procmon.LosesRuns(reason, where), Events: events, Uncounted: uncounted}
}

func TestCoverageLine(t *testing.T) {
	day := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	gap := func(from, minutes int) report.Gap {
		at := day.Add(time.Duration(from) * time.Minute)
		return report.Gap{Host: "n1", From: at, To: at.Add(time.Duration(minutes) * time.Minute)}
	}
	for _, test := range []struct {
		name     string
		recorded int64
		losses   []report.Loss
		gaps     []report.Gap
		want     string
	}{
		{"nothing lost", 10, nil, nil, "100 % of runs {}; none known to be lost."},
		{"nothing at all", 0, nil, nil, "No run {}; none known to be lost."},
		{"one reason", 599_988, []report.Loss{loss(procmon.LossRing, "bpf", 12, 0)}, nil, "99.998 % of runs {}; 12 lost: ring full."},
		{"several", 99, []report.Loss{loss(procmon.LossVanished, "procconn", 3, 0), loss(procmon.LossQueue, "procconn", 2, 0), loss(procmon.LossQueue, "index", 5, 0)}, nil,
			"90.8 % of runs {}; 10 lost: queue full 7, vanished 3."},
		{"in one sink alone", 10, []report.Loss{loss(procmon.LossQueue, "syslog", 4, 0), loss(procmon.LossSink, "syslog", 3, 0)}, nil,
			"100 % of runs {}; none known to be lost. Also lost, with no run missing here: queue full 4 (syslog), sink full 3 (syslog)."},
		{"no runs", 10, []report.Loss{loss(procmon.LossForeign, "procconn", 4, 0), loss(procmon.LossUsage, "taskstats", 0, 1)}, nil,
			"100 % of runs {}; none known to be lost. Also lost, with no run missing here: not from kernel 4 (procconn), usage lost an unknown number (taskstats)."},
		{"a gap", 10, []report.Loss{loss(procmon.LossStopped, "procconn", 0, 1)}, []report.Gap{gap(0, 5)},
			"Runs {}; lost: an unknown number while nobody looked on n1 2026-11-21 10:00–10:05."},
		{"a short gap", 10, []report.Loss{loss(procmon.LossStopped, "procconn", 0, 1)}, []report.Gap{gap(0, 1)},
			"Runs {}; lost: an unknown number while nobody looked on n1 2026-11-21 10:00:00–10:01:00."},
		{"a gap and more", 10, []report.Loss{loss(procmon.LossRing, "bpf", 10, 0), loss(procmon.LossStopped, "bpf", 0, 1)}, []report.Gap{gap(0, 24*60)},
			"50 % of runs {}; 10 lost: ring full; and an unknown number while nobody looked on n1 2026-11-21 10:00–2026-11-22 10:00."},
		{"many gaps", 10, []report.Loss{loss(procmon.LossStopped, "bpf", 0, 4)}, []report.Gap{gap(10, 9), gap(0, 5), gap(30, 5), gap(40, 5)},
			"Runs {}; lost: an unknown number while nobody looked, 4 times, the longest on n1 2026-11-21 10:10–10:19."},
		{"uncounted", 10, []report.Loss{loss(procmon.LossQueue, "bpf", 0, 1)}, nil, "Runs {}; lost: an unknown number by queue full."},
		{"recorded not known", -1, []report.Loss{loss(procmon.LossRing, "bpf", 1, 0)}, nil, "Runs {}; 1 lost: ring full."},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := report.Coverage{From: day.Add(time.Hour), To: day.Add(25 * time.Hour), Recorded: test.recorded, Losses: test.losses, Gaps: test.gaps, GapCount: len(test.gaps)}
			for _, l := range c.Losses {
				if l.OfRuns {
					c.LostRuns += l.Events
				}
			}
			var b bytes.Buffer
			p := newPrinter(&b, Options{Location: time.FixedZone("CET", 3600)})
			p.coverage(&c, "")
			if err := p.flush(); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(strings.Fields(b.String()), " ")
			if want := strings.Replace(test.want, "{}", "seen between 2026-11-21 11:00 and 2026-11-22 11:00 CET", 1); got != want {
				t.Errorf("says %s\nwant %s", got, want)
			}
		})
	}
}

func TestLosesRuns(t *testing.T) {
	for reason, want := range map[string]bool{
		procmon.LossBuffer: true, procmon.LossVanished: true, procmon.LossRing: true, procmon.LossMissed: true, procmon.LossStuck: true,
		procmon.LossQueue: true, procmon.LossStopped: true, procmon.LossRejected: true, procmon.LossSink: false, procmon.LossForeign: false, procmon.LossUsage: false,
	} {
		if got := procmon.LosesRuns(reason, "index"); got != want {
			t.Errorf("%s: %v", reason, got)
		}
		if procmon.LosesRuns(reason, "syslog") {
			t.Errorf("%s in syslog", reason)
		}
	}
}
