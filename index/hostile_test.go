package index

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"procmon"
)

// FuzzWrite puts what users control into every text of a record. Whatever it
// is, the run is stored once, agrees with the sums, and every text of every
// view is valid UTF-8 without NUL.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"", "plain", "a\x00b", "\xff\xfe", "'; DROP TABLE t_run; --", "line\nbreak\x1b[2J", "\u202e", strings.Repeat("x", 5000)} {
		f.Add(s, s, int64(0), uint32(0), int64(1), uint8(0))
		f.Add("x", s, int64(1)<<62, procmon.NoUID, int64(-5), uint8(3))
	}
	w := mustOpen(f, testOptions(f))
	r := mustRead(f, w)
	n := 0
	f.Fuzz(func(t *testing.T, a, b string, number int64, uid uint32, elapsed int64, phase uint8) {
		n++
		run := with(func(r *procmon.Run) {
			other(r, n)
			p, j, app := r.Process, &r.Job, &r.Application
			p.Exe, p.Comm, p.Cwd, p.Args, p.ArgsBytes, p.UID, p.EUID, p.PPID = a, b, a, []byte(b), len(b), uid, uint32(number), int32(number)
			r.UserName = b
			j.Name, j.Account, j.Partition, j.Task, j.Step, j.RawID, j.ID, j.Cluster, j.SLUID, j.User = a, b, a, b, a, b, a, b, a, b
			j.ArrayJob, j.ArrayTask, j.HetJob, j.HetOffset, j.Scheduler, j.Conflict = a, b, a, b, a, b
			j.Restart, j.By[procmon.JobName] = int(number), procmon.Evidence(phase)
			app.Name, app.Version, app.Kind, app.Package, app.Script, app.Image, app.Rules, app.Evidence = b, a, procmon.AppKind(a), b, a, b, a, b
			r.End = r.Start.Add(time.Duration(elapsed))
			r.Usage = &procmon.Usage{User: time.Duration(number), System: time.Duration(elapsed), MaxRSS: uint64(number), Read: uint64(elapsed), Write: uint64(number) >> 24}
		})
		before := count(t, r)
		records := []procmon.Record{telling(procmon.Phase(phase%4), run, run.End), telling(procmon.End, run, run.End)}
		for range 2 {
			var lost *procmon.LostError
			if err := w.Write(t.Context(), records); err != nil && !errors.As(err, &lost) {
				t.Fatalf("stored neither now nor ever: %v", err)
			}
		}
		if after := count(t, r); after != before+1 {
			t.Errorf("%d runs more", after-before)
		}
		for _, view := range []string{"runs WHERE run_id = (SELECT max(id) FROM t_run)", "usage", "history", "jobs"} {
			for _, row := range dump(t, r, "SELECT * FROM "+view+" LIMIT 50") {
				for column, v := range row {
					if s, ok := v.(string); ok && (!utf8.ValidString(s) || strings.Contains(s, "\x00")) {
						t.Errorf("%s, %s: %q", view, column, s)
					}
				}
			}
		}
	})
}

func count(t *testing.T, r *Reader) int64 {
	t.Helper()
	return number(t, r, "SELECT count(*) FROM t_run")
}

// FuzzLive: a body that was damaged is an error, never a panic, and a good one
// comes back as it was.
func FuzzLive(f *testing.F) {
	good, err := json.Marshal(alive(1))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(good), "", "{}", "null", `{"Run":{"Process":null}}`, `{"Run":{"Process":{}}}`, `{"Run":{"Job":{"By":[1,2,3]},"Process":{"Args":"!"}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := decodeLive(body)
		if err != nil {
			return
		}
		again, err := json.Marshal(l)
		if err != nil {
			return // times that JSON cannot tell
		}
		if _, err := decodeLive(again); err != nil {
			t.Error(err)
		}
	})
}
