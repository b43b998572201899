package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The stage starts copies of this program as spawners.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-spawn" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestSpawnerTellsItsCost(t *testing.T) {
	order, err := json.Marshal(orders{Path: "/bin/true", First: 5, Step: 2, Count: 3, Gap: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := beSpawner(string(order), strings.NewReader(""), &out); err != nil {
		t.Fatal(err)
	}
	var did spent
	if err := json.Unmarshal(out.Bytes(), &did); err != nil || did.Children <= 0 || did.Own <= 0 {
		t.Errorf("%s, %v", out.Bytes(), err)
	}
	if err := beSpawner(`{"Path":"/bin/false","Count":1}`, strings.NewReader(""), io.Discard); err == nil {
		t.Error("a program that fails is no error")
	}
}

func TestStaticProgram(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc")
	}
	path, err := buildStatic(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, argument(sampleTag, 1)).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCPUTimeCountsEndedThreads(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 5*time.Millisecond; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("%v, then %v, %v", before, after, err)
	}
	if _, err := cpuTime(1 << 23); err == nil {
		t.Error("there is no such process")
	}
}

func TestCostOfTwoProcesses(t *testing.T) {
	self := os.Getpid()
	c, err := (&processes{tool: []int{self}, logger: []int{self}}).cost()
	if err != nil || c.tool <= 0 || c.logger <= 0 || c.kernel != 0 || c.peak < 1<<20 || c.sleeps <= 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A tool that is not there, and no tool at all, in workloads of every kind.
func TestIntegrationBench(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: cgroups are made, and programs started as another user")
	}
	o, err := parseOptions([]string{"-procmond", "/nonexistent", "-tools", "none,bpf", "-workloads", "true-16,static,make-j2", "-execs", "16", "-rounds", "2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.rsyslogConf = "../../contrib/rsyslog/procmon.conf"
	var out, log bytes.Buffer
	if err := bench(t.Context(), o, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	for _, want := range []string{"bpf: not available: fork/exec /nonexistent", "true-16: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.Bytes())
		}
	}
	if n := strings.Count(out.String(), "\nnone "); n != 3 {
		t.Errorf("%d rows without a tool, want 3:\n%s\n%s", n, out.Bytes(), log.Bytes())
	}
}

func TestChildSaysWhyItEnded(t *testing.T) {
	c, err := startChild(t.TempDir(), exec.Command("/bin/sh", "-c", "echo first >&2; echo 'the reason' >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.ready(context.Background(), func() error { return io.EOF })
	if err == nil || !strings.Contains(err.Error(), "ended: the reason") {
		t.Errorf("%v", err)
	}
	if err := c.end(os.Interrupt); err != nil {
		t.Error(err)
	}
}
