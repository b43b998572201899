package collector

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"procmon"
)

// fakeJobMeter says that a job's cgroup is the first one of its process.
type fakeJobMeter struct {
	mu   sync.Mutex // guards the fields below
	cpu  map[string]time.Duration
	read int
}

func (m *fakeJobMeter) Cgroup(p *procmon.Process, _ *procmon.Job) (procmon.Cgroup, bool) {
	if len(p.Cgroups) == 0 {
		return procmon.Cgroup{}, false
	}
	return p.Cgroups[0], true
}

func (m *fakeJobMeter) CPU(g procmon.Cgroup) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read++
	if cpu, ok := m.cpu[g.Path]; ok {
		return cpu, nil
	}
	return 0, os.ErrNotExist
}

func (m *fakeJobMeter) set(path string, cpu time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu[path] = cpu
}

func (m *fakeJobMeter) remove(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.cpu, path)
}

func inCgroup(job, path string) *procmon.Run {
	return &procmon.Run{Job: procmon.Job{RawID: job}, Process: &procmon.Process{Cgroups: []procmon.Cgroup{{Path: path}}}}
}

func TestJobCPU(t *testing.T) {
	m := &fakeJobMeter{cpu: map[string]time.Duration{"/n1/7": 1, "/n2/7": 10, "/8": 100}}
	j := newJobCPU(m)
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	for _, r := range []*procmon.Run{inCgroup("7", "/n1/7"), inCgroup("7", "/n1/7/step"), inCgroup("8", "/8"), inCgroup("", "/none"), {Job: procmon.Job{RawID: "9"}, Process: &procmon.Process{}}} {
		j.met(r)
	}
	want := func(job string, cpu time.Duration, until time.Time) {
		t.Helper()
		if c, u := j.of(procmon.JobKey{RawID: job}); c != cpu || !u.Equal(until) {
			t.Errorf("job %s: %d until %v, want %d until %v", job, c, u, cpu, until)
		}
	}
	want("7", 0, time.Time{})
	j.sample(at(1))
	want("7", 1, at(1))
	want("9", 0, time.Time{})
	j.met(inCgroup("7", "/n2/7"))
	want("7", 0, time.Time{})
	m.set("/n1/7", 2)
	j.sample(at(2))
	want("7", 12, at(2))
	m.remove("/n1/7")
	m.set("/n2/7", 20)
	j.sample(at(3))
	m.set("/n1/7", 1) // another life of the job
	j.sample(at(4))
	want("7", 22, at(2))
	j.forget(procmon.JobKey{RawID: "7"})
	want("7", 0, time.Time{})
	m.remove("/8")
	j.sample(at(5))
	want("8", 100, at(4))
	j.sample(at(5).Add(keepReading + time.Second))
	if want("8", 0, time.Time{}); j.count != 0 || len(j.known) != 0 {
		t.Errorf("%d cgroups of %d jobs are kept", j.count, len(j.known))
	}
}

// Of many cgroups each is read in turn, and no more are known than there is room for.
func TestJobCPUBounds(t *testing.T) {
	m := &fakeJobMeter{cpu: map[string]time.Duration{}}
	j := newJobCPU(m)
	for i := range maxMetered + 10 {
		path := fmt.Sprint("/", i)
		m.cpu[path] = 1
		j.met(inCgroup(fmt.Sprint(i), path))
	}
	if j.count != maxMetered {
		t.Errorf("%d cgroups known, want %d", j.count, maxMetered)
	}
	for s := range maxMetered / readsASecond {
		j.sample(time.Unix(int64(s+1), 0))
	}
	for key := range j.known {
		if _, until := j.of(key); until.IsZero() {
			t.Fatalf("job %s was not read", key.RawID)
		}
	}
	if m.read != maxMetered {
		t.Errorf("%d readings, want %d", m.read, maxMetered)
	}
}

func TestCollectorTellsWhatTheCgroupCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		book, m := &fakeBook{sink: w.sink}, &fakeJobMeter{cpu: map[string]time.Duration{"/7": time.Second}}
		w.cfg.JobEnds, w.cfg.JobShares, w.cfg.JobMeter = book, book, meterOf{m, "/7"}
		w.start()
		w.run(10, "a", 0, "JOB=7")
		time.Sleep(3 * time.Second)
		m.set("/7", 2*time.Second)
		time.Sleep(2 * time.Second)
		last := time.Now()
		m.remove("/7")
		w.exit(10)
		time.Sleep(20 * time.Second)
		book.set(errors.New("not yet"), procmon.JobSummary{Job: procmon.Job{RawID: "7"}})
		time.Sleep(4 * time.Second)
		book.set(nil, procmon.JobSummary{Job: procmon.Job{RawID: "7"}})
		time.Sleep(4 * time.Second)
		if err := w.end(); err != nil {
			t.Error(err)
		}
		var s *procmon.JobSummary
		for _, r := range w.sink.records {
			if r.Summary != nil {
				s = r.Summary
			}
		}
		if s == nil || s.CgroupCPU != 2*time.Second || s.CgroupRead.After(last) || last.Sub(s.CgroupRead) > time.Second {
			t.Errorf("summary %+v, want 2 s of CPU until %v", s, last)
		}
	})
}

// meterOf puts every process of a job into one cgroup.
type meterOf struct {
	*fakeJobMeter
	path string
}

func (m meterOf) Cgroup(*procmon.Process, *procmon.Job) (procmon.Cgroup, bool) {
	return procmon.Cgroup{Path: m.path}, true
}
