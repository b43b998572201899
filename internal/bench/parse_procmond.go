package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// jsonLine is what is read of a JSON line (docs/json-lines.md).
type jsonLine struct {
	Event struct {
		Dataset string
		Type    []string
	}
	Process struct {
		EntityID   string `json:"entity_id"`
		Executable string
		Name       string
		Args       []string
		Cwd        string `json:"working_directory"`
	}
	User struct{ ID string }
	HPC  struct {
		Job struct {
			RawID    string `json:"raw_id"`
			StepID   string `json:"step_id"`
			Evidence string
		}
		Usage *struct {
			User   time.Duration `json:"user_cpu_ns"`
			System time.Duration `json:"system_cpu_ns"`
		}
		Loss struct{ Count int }
	}
}

// lineMax is the longest line of a tool that is read.
const lineMax = 4 << 20

func lines(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(nil, lineMax)
	return s
}

// readProcmond takes procmond's JSON lines.
func readProcmond(r io.Reader, c *counter) error {
	c.SaysLost = true
	s := lines(r)
	for s.Scan() {
		var l jsonLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return fmt.Errorf("JSON line: %w: %.200s", err, s.Bytes())
		}
		switch {
		case l.Event.Dataset == "procmon.loss":
			c.Lost += l.HPC.Loss.Count
		case l.Event.Dataset == "procmon.run" && !strings.HasPrefix(l.Process.Name, spawnerName):
			c.add(l.told())
		}
	}
	return s.Err()
}

func (l *jsonLine) told() told {
	t := told{
		id: l.Process.EntityID, line: strings.Join(l.Process.Args, " "), name: l.Process.Name, exe: l.Process.Executable, cwd: l.Process.Cwd,
		uid: l.User.ID, job: l.HPC.Job.RawID,
	}
	if l.HPC.Job.Evidence == "cgroup" {
		t.cgroup = l.HPC.Job.RawID + "." + l.HPC.Job.StepID
	}
	// Usage so far is not a run's usage.
	if u := l.HPC.Usage; u != nil && slices.Contains(l.Event.Type, "end") {
		t.cpu = u.User + u.System
		t.usage = t.cpu > 0
	}
	return t
}
