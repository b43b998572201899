package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const testTag = "procmon-load-1-0000abcd"

// loadRun is a record of program n of a load, as it should be.
func loadRun(n int) procmon.Record {
	args := []byte(fmt.Sprintf("/bin/true\x00%s-%d\x00", testTag, n))
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	return procmon.Record{Phase: procmon.Whole, Run: &procmon.Run{
		Process: &procmon.Process{
			PPID: 77, UID: 65534, EUID: 65534, Exe: "/usr/bin/true", Cwd: "/", Args: args, ArgsBytes: len(args), ArgsCount: 2,
			Cgroups: []procmon.Cgroup{{Path: "/"}}, Ancestors: []procmon.Ancestor{{Comm: "sh"}},
		},
		Start: start, End: start.Add(time.Millisecond), Exit: &procmon.Exit{}, Usage: &procmon.Usage{},
	}}
}

func TestLoadCount(t *testing.T) {
	changed := func(n int, change func(*procmon.Run)) procmon.Record {
		r := loadRun(n)
		change(r.Run)
		return r
	}
	noArgs := func(n int, parent int32) procmon.Record {
		return changed(n, func(r *procmon.Run) {
			r.Process.PPID, r.Process.Args, r.Process.Missing = parent, nil, procmon.MissingArgs
		})
	}
	lost := func(reason, where string, n uint64) procmon.Record {
		return procmon.Record{Loss: &procmon.Loss{Reason: reason, Where: where, Count: n}}
	}
	for _, test := range []struct {
		name    string
		records []procmon.Record
		state   string // ok, warn, FAIL
		want    string
	}{
		{"whole", []procmon.Record{loadRun(0), loadRun(1), loadRun(2)}, "ok",
			"load: 3 of 3 runs recorded with every field (x), 0 lost"},
		{"others do not count", []procmon.Record{loadRun(0), loadRun(1), loadRun(2), loadRun(3),
			changed(0, func(r *procmon.Run) { r.Process.Args = []byte("/bin/true\x00other-0\x00") }), noArgs(0, 99)}, "ok",
			"load: 3 of 3 runs recorded with every field (x), 0 lost"},
		{"counted", []procmon.Record{loadRun(0), lost(procmon.LossVanished, "x", 2)}, "warn",
			"load: 1 of 3 runs recorded with every field (x), 2 lost on the whole node: vanished 2: 2 not recorded, 0 not whole"},
		{"not counted", []procmon.Record{loadRun(0), lost(procmon.LossVanished, "x", 1)}, "FAIL",
			"load: 1 of 3 runs recorded with every field (x), 1 lost on the whole node: vanished 1: 1 neither recorded nor counted as lost"},
		{"lost elsewhere", []procmon.Record{loadRun(0), loadRun(1), lost(procmon.LossQueue, "syslog", 1), lost(procmon.LossForeign, "x", 9)}, "FAIL",
			"load: 2 of 3 runs recorded with every field (x), 0 lost: 1 neither recorded nor counted as lost"},
		{"nobody knows", []procmon.Record{loadRun(0), lost(procmon.LossQueue, "x", 0)}, "warn",
			"load: 1 of 3 runs recorded with every field (x), 0 lost, and an unknown number: 2 not recorded, 0 not whole"},
		{"fields", []procmon.Record{loadRun(0), noArgs(1, 77), changed(2, func(r *procmon.Run) {
			r.Usage, r.Process.Cwd, r.Process.Missing = nil, "", procmon.MissingCwd
		})}, "warn", "load: 1 of 3 runs recorded with every field (x), 2 without args 1, cwd 1, usage 1, 0 lost: 0 not recorded, 2 not whole"},
		{"cut", []procmon.Record{loadRun(0), loadRun(1), changed(2, func(r *procmon.Run) { r.Process.ArgsBytes++; r.Exit = nil })}, "warn",
			"load: 2 of 3 runs recorded with every field (x), 1 without args 1, exit code 1, 0 lost: 0 not recorded, 1 not whole"},
		{"twice", []procmon.Record{loadRun(0), loadRun(0), loadRun(1), loadRun(2)}, "FAIL",
			"load: 3 of 3 runs recorded with every field (x), 0 lost: 1 recorded twice"},
		{"a start counts for nothing", []procmon.Record{func() procmon.Record { r := loadRun(0); r.Phase = procmon.Start; return r }()}, "FAIL",
			"load: 0 of 3 runs recorded with every field (x), 0 lost: 3 neither recorded nor counted as lost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newLoadCount(testTag, 65534, "x", 3)
			if err := c.Write(t.Context(), test.records); err != nil {
				t.Fatal(err)
			}
			r := c.done([]int{76, 77})
			f := r.finding()
			got, state := f.what, "ok"
			if f.err != nil {
				got += ": " + f.err.Error()
				state = map[bool]string{true: "warn", false: "FAIL"}[f.warn]
				if strings.TrimSpace(f.fix) == "" {
					t.Error("no fix")
				}
			}
			if diff := cmp.Diff([]string{test.state, test.want}, []string{state, got}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 10_000: "10,000", 1_234_567: "1,234,567", -1: "-1", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
