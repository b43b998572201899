package main

import (
	"io"
	"strings"
	"testing"
)

func TestWorkloads(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads() {
		if seen[w.name] {
			t.Errorf("%s is there twice", w.name)
		}
		seen[w.name] = true
		if w.spawners > 0 && w.execs%w.spawners != 0 {
			t.Errorf("%s: %d programs for %d spawners", w.name, w.execs, w.spawners)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
		want int
	}{{"true-16", 0, 4000}, {"true-16", 100, 96}, {"true-16", 3, 16}, {"static", 50_000, 50_000}, {"make-j2", 5000, 100}, {"make-j2", 7, 7}, {"idle", 7, 0}} {
		w, err := known(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := w[0].scaled(tt.n).execs; got != tt.want {
			t.Errorf("%s with %d: %d, want %d", tt.name, tt.n, got, tt.want)
		}
	}
}

func TestArgumentsDiffer(t *testing.T) {
	if a, b := argument(sampleTag, 1), argument(sampleTag, 10); a == b || len(a) != len(b) {
		t.Errorf("%q and %q", a, b)
	}
}

func TestEnvironmentIsAJobs(t *testing.T) {
	env := environment("7")
	names := map[string]bool{}
	for _, v := range env {
		name, _, ok := strings.Cut(v, "=")
		if !ok || names[name] {
			t.Errorf("%q", v)
		}
		names[name] = true
	}
	if len(names) != 25 || !strings.Contains(strings.Join(env, "\n"), "SLURM_JOB_ID=7\n") {
		t.Errorf("%d variables: %q", len(names), env)
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		args string
		bad  string // part of the error; "": none
	}{
		{"", ""},
		{"-workloads true,idle -execs 10 -format markdown", ""},
		{"-workloads nope", `no workload "nope"`},
		{"-format html", "table or markdown"},
		{"-rounds 0", "-rounds"},
		{"-uid 0", "other than root"},
		{"extra", "flags only"},
		{"-nope", "not defined"},
	} {
		o, err := parseOptions(strings.Fields(tt.args), io.Discard)
		switch {
		case tt.bad == "" && err != nil:
			t.Errorf("%q: %v", tt.args, err)
		case tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)):
			t.Errorf("%q: %v, want %q", tt.args, err, tt.bad)
		case tt.bad == "" && len(o.workloads) == 0:
			t.Errorf("%q: no workloads", tt.args)
		}
	}
}
