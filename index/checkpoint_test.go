package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// spent is what usage says of a day.
type spent struct{ Runs, Elapsed, User, Sys, RSS, Read, Write int64 }

// life is one run's records in the order in which they come about, and what
// each of them adds to which day.
type life struct {
	records []procmon.Record
	added   []map[int64]spent
	final   spent
}

// randomLife is a run of days, with checkpoints at random times.
func randomLife(rnd *rand.Rand, n int) life {
	start := t0.Add(time.Duration(rnd.Int64N(int64(48 * time.Hour)))).Truncate(time.Microsecond)
	var l life
	var u procmon.Usage
	at := start
	known := spent{Runs: 1}
	add := func(day int64, s spent) { l.added = append(l.added, map[int64]spent{day: s}) }
	tell := func(phase procmon.Phase, usage *procmon.Usage) {
		r := with(func(r *procmon.Run) {
			r.Process.Run = procmon.RunID{Process: procmon.ProcessID{PID: int32(100 + n), Start: 5000}}
			r.Process.Exe = fmt.Sprint("/bin/", n) // sums are kept by program: this run's own
			r.Start, r.End, r.Exit, r.Usage = start, time.Time{}, nil, usage
			if phase == procmon.End {
				r.End, r.Unknown = at, usage == nil
			}
		})
		l.records = append(l.records, telling(phase, r, at))
	}
	tell(procmon.Start, nil)
	add(dayOf(start.UnixMicro()), spent{Runs: 1})
	steps := rnd.IntN(6)
	for i := range steps {
		at = at.Add(time.Duration(1 + rnd.Int64N(int64(60*time.Hour)))).Truncate(time.Microsecond)
		u.User += time.Duration(rnd.Int64N(int64(time.Hour))).Truncate(time.Microsecond)
		u.System += time.Duration(rnd.Int64N(int64(time.Minute))).Truncate(time.Microsecond)
		u.Read += rnd.Uint64N(1 << 30)
		u.Write += rnd.Uint64N(1 << 30)
		u.MaxRSS = max(u.MaxRSS, 2*rnd.Uint64N(1<<39)) // even: the index keeps a mark in the last bit
		usage := &procmon.Usage{}
		*usage = u
		phase := procmon.Checkpoint
		if i == steps-1 && rnd.IntN(3) > 0 {
			phase = procmon.End
			if rnd.IntN(3) == 0 { // it ended unseen
				usage = nil
			}
		}
		tell(phase, usage)
		now := known
		now.Elapsed = at.Sub(start).Microseconds()
		if usage != nil {
			now = spent{1, now.Elapsed, u.User.Microseconds(), u.System.Microseconds(), int64(u.MaxRSS), int64(u.Read), int64(u.Write)}
		}
		part := spent{0, now.Elapsed - known.Elapsed, now.User - known.User, now.Sys - known.Sys, 0, now.Read - known.Read, now.Write - known.Write}
		if usage != nil {
			part.RSS = now.RSS
		}
		add(dayOf(at.UnixMicro()), part)
		known = now
	}
	l.final = known
	return l
}

func (s *spent) add(o spent) {
	s.Runs += o.Runs
	s.Elapsed += o.Elapsed
	s.User += o.User
	s.Sys += o.Sys
	s.RSS = max(s.RSS, o.RSS)
	s.Read += o.Read
	s.Write += o.Write
}

// TestCheckpointsAreBookedToTheirDays tells many runs at once, in batches, some
// records twice or in any order, and restarts the writer: each day has what was told on
// it beyond what was told before, and the days sum up to the runs.
func TestCheckpointsAreBookedToTheirDays(t *testing.T) {
	rnd := seeded(t)
	o := testOptions(t)
	w := mustOpen(t, o)
	lives := make([]life, 60)
	var wantRuns spent
	want, wantHistory := make(map[int64]spent), make(map[int64]spent)
	var order []int
	for n := range lives {
		lives[n] = randomLife(rnd, n)
		for range lives[n].records {
			order = append(order, n)
		}
		for i := range lives[n].records {
			for day, s := range lives[n].added[i] {
				for key, all := range map[int64]map[int64]spent{day*1000 + int64(n): want, day: wantHistory} {
					sum := all[key]
					sum.add(s)
					all[key] = sum
				}
			}
		}
		wantRuns.add(lives[n].final)
		if rnd.IntN(2) == 0 { // in any order: a log that was rotated, read from its newest part
			rnd.Shuffle(len(lives[n].records), func(i, j int) {
				r := lives[n].records
				r[i], r[j] = r[j], r[i]
			})
		}
	}
	rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	next := make([]int, len(lives))
	var batch, before []procmon.Record
	write := func() {
		mustWrite(t, w, batch...)
		if rnd.IntN(3) == 0 { // not sure that it was written: again
			mustWrite(t, w, batch...)
		}
		before, batch = append(before, batch...), nil
	}
	for _, n := range order {
		batch = append(batch, lives[n].records[next[n]])
		next[n]++
		switch rnd.IntN(20) {
		case 0:
			write()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = mustOpen(t, o)
		case 1, 2, 3:
			write()
		case 4:
			if len(before) > 0 {
				batch = append(batch, before[rnd.IntN(len(before))])
			}
		case 5:
			live, _, err := w.Live(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.SaveLive(t.Context(), live, t0); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	mustWrite(t, w, before...)

	r := mustRead(t, w)
	agree(t, r)
	const sums = ` AS day, sum(runs) AS Runs, sum(elapsed) AS Elapsed, sum(user_us) AS User, sum(sys_us) AS Sys, max(rss) AS RSS,
		sum(read) AS Read, sum(write) AS Write FROM `
	if diff := cmp.Diff(want, spentBy(t, r, "SELECT day * 1000 + substr(executable, 6)"+sums+
		"(SELECT g.*, i.exe AS executable FROM t_usage g JOIN t_identity i ON i.id = g.identity) GROUP BY 1")); diff != "" {
		t.Errorf("usage by day and run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantHistory, spentBy(t, r, "SELECT day"+sums+"t_history GROUP BY 1")); diff != "" {
		t.Errorf("history by day (-want +got):\n%s", diff)
	}
	var got spent
	for _, s := range spentBy(t, r, `SELECT pid AS day, 1 AS Runs, ifnull(elapsed, 0) AS Elapsed, ifnull(user_us, 0) AS User, ifnull(sys_us, 0) AS Sys,
		ifnull(rss, 0) AS RSS, ifnull(read, 0) AS Read, ifnull(write, 0) AS Write FROM t_run`) {
		got.add(s)
	}
	if diff := cmp.Diff(wantRuns, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	for _, m := range dump(t, r, "SELECT runs, elapsed, user_us, sys_us, read, write FROM t_usage") {
		for name, v := range m {
			if v.(int64) < 0 {
				t.Errorf("%s is %d on a day", name, v)
			}
		}
	}
}

func spentBy(t *testing.T, r *Reader, query string) map[int64]spent {
	t.Helper()
	all := make(map[int64]spent)
	for _, m := range dump(t, r, query) {
		n := func(name string) int64 { return m[name].(int64) }
		all[n("day")] = spent{n("Runs"), n("Elapsed"), n("User"), n("Sys"), n("RSS"), n("Read"), n("Write")}
	}
	return all
}

// An open run outlives the pruning of older runs, and of what it used nothing
// is booked again afterwards, restart or not.
func TestCheckpointsOutlivePruning(t *testing.T) {
	o := testOptions(t)
	o.KeepRuns = time.Hour
	now := t0.Add(72 * time.Hour)
	o.Now = func() time.Time { return now }
	w := mustOpen(t, o)
	run := func(cpu time.Duration) *procmon.Run {
		r := open(1)
		r.Start, r.Usage = t0, &procmon.Usage{User: cpu, MaxRSS: 2}
		return r
	}
	mustWrite(t, w, telling(procmon.Start, run(0), t0), telling(procmon.Checkpoint, run(time.Hour), t0.Add(24*time.Hour)),
		whole(with(func(r *procmon.Run) { other(r, 5) })))
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = mustOpen(t, o)
	live, _, err := w.Live(t.Context())
	if err != nil || len(live) != 1 || live[0].Run.Usage.CPU() != time.Hour || !live[0].Told.Equal(t0.Add(24*time.Hour)) {
		t.Fatalf("live %+v, %v; want one with an hour, told a day after its start", live, err)
	}
	ended := run(90 * time.Minute)
	ended.End = t0.Add(48 * time.Hour)
	mustWrite(t, w, telling(procmon.Checkpoint, run(time.Hour), t0.Add(24*time.Hour)), telling(procmon.End, ended, ended.End))
	r := mustRead(t, w)
	if rows := dump(t, r, "SELECT pid FROM t_run"); len(rows) != 1 {
		t.Errorf("%d runs left, want 1", len(rows))
	}
	day := dayOf(t0.UnixMicro())
	var got []int64
	for _, m := range dump(t, r, "SELECT sum(user_us) AS user_us FROM t_usage WHERE day > ? GROUP BY day", day) {
		got = append(got, m["user_us"].(int64)/1e6)
	}
	if diff := cmp.Diff([]int64{3600, 1800}, got); diff != "" {
		t.Errorf("seconds by day (-want +got):\n%s", diff)
	}
}
