package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/urfave/cli/v2"

	"procmon"
	"procmon/appmap"
	"procmon/collector/procfs"
	"procmon/jobmap"
)

const explainDescription = `With --pid it reads a live process and says in lines what it found; with --json
as well, as one JSON object. With --json alone it reads cases, one JSON object a
line, and answers each with one line, in the same order:

   {"id":1,"process":{"exe":"/opt/x/bin/y","args":["y"],"comm":"y","cwd":"/tmp","env":{"A":"b"},
    "cgroup":"0::/...","uid":1000,"parents":[{"comm":"bash","exe":"/bin/bash","uid":0}]}}

Any part may be missing; a parent takes all that a process does. With --root
files are looked up below that directory. The job's trail is the evidence found,
best first: what each piece says, and whether it decided, agrees or was rejected.

EXIT STATUS
   0 done, 1 failed (no such process), 2 wrong use or configuration`

func explainFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "pid", Usage: "explain the live process of this `PID`"},
		&cli.BoolFlag{Name: "json", Usage: "explain cases from standard input, JSON lines in and out; with --pid: answer in JSON"},
		&cli.StringFlag{Name: "root", Usage: "with --json: look files up below this `DIR`"},
	}
}

// explained is one answer.
type explained struct {
	ID          any          `json:"id,omitempty"`
	Application string       `json:"application"`
	Version     string       `json:"version"`
	Kind        string       `json:"kind"`
	Package     string       `json:"package,omitempty"`
	Script      string       `json:"script,omitempty"`
	Evidence    []evidence   `json:"evidence"`
	Considered  []considered `json:"considered,omitempty"`
	Job         *jobAnswer   `json:"job,omitempty"` // absent when nothing names a job
	trail       []jobmap.Step
}

type evidence struct {
	Kind    string `json:"kind"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Package string `json:"package,omitempty"`
}

// considered is evidence that named something and lost.
type considered struct {
	Evidence    string `json:"evidence"`
	Application string `json:"application"`
	Version     string `json:"version,omitempty"`
	Why         string `json:"why"`
}

type jobAnswer struct {
	Scheduler string            `json:"scheduler,omitempty"`
	Cluster   string            `json:"cluster,omitempty"`
	ID        string            `json:"id,omitempty"`
	RawID     string            `json:"raw_id,omitempty"`
	SLUID     string            `json:"sluid,omitempty"`
	ArrayJob  string            `json:"array_job_id,omitempty"`
	ArrayTask string            `json:"array_task_id,omitempty"`
	HetJob    string            `json:"het_job_id,omitempty"`
	HetOffset string            `json:"het_job_offset,omitempty"`
	Step      string            `json:"step_id,omitempty"`
	Task      string            `json:"task_id,omitempty"`
	User      string            `json:"user,omitempty"`
	UID       *uint32           `json:"user_id,omitempty"`
	Account   string            `json:"account,omitempty"`
	Partition string            `json:"partition,omitempty"`
	Name      string            `json:"name,omitempty"`
	Evidence  string            `json:"evidence,omitempty"`
	By        map[string]string `json:"by,omitempty"` // evidence of each field
	Conflict  string            `json:"conflict,omitempty"`
	Trail     []jobmap.Step     `json:"trail,omitempty"`
}

func runExplain(c *cli.Context, s *Settings, stdin io.Reader, stdout io.Writer) error {
	pid, asJSON := c.Int("pid"), c.Bool("json")
	if pid == 0 && !asJSON {
		return fmt.Errorf("%w: explain wants --pid PID or --json", errUsage)
	}
	apps := appmap.Config{Root: c.String("root"), CatalogDir: s.CatalogDir, Logger: slog.New(slog.DiscardHandler)}
	jobs := s.jobConfig(nil)
	if pid != 0 {
		apps.MountNS = hostMountNS()
		if registry, err := jobmap.OpenRegistry(s.JobsDir); err == nil {
			jobs.Facts = registry
		}
	} else {
		jobs.CondorDir = "" // of this node, not of the cases
	}
	mapper, err := appmap.New(apps)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	defer mapper.Close()
	e := &explainer{apps: mapper, jobs: jobmap.New(jobs), out: stdout}
	if pid == 0 {
		return e.cases(c.Context, stdin)
	}
	return e.process(c.Context, int32(pid), int(s.ArgsBytes), asJSON)
}

type explainer struct {
	apps *appmap.Mapper
	jobs *jobmap.Mapper
	out  io.Writer
}

func (e *explainer) process(ctx context.Context, pid int32, maxArgs int, asJSON bool) error {
	p, above, err := readProcess(pid, maxArgs)
	if errors.Is(err, procfs.ErrGone) {
		return fmt.Errorf("pid %d: no such process", pid)
	}
	if err != nil {
		return err
	}
	var parent procmon.Job
	for _, a := range slices.Backward(above) {
		parent = e.jobs.Job(a, parent)
	}
	answer := e.answer(ctx, nil, p, parent)
	if asJSON {
		enc := json.NewEncoder(e.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(answer)
	}
	_, err = io.WriteString(e.out, answer.text())
	return err
}

// maxCase is the longest line of --json.
const maxCase = 16 << 20

func (e *explainer) cases(ctx context.Context, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxCase)
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var c explainCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("%w: line %d: %w", errUsage, n, err)
		}
		if err := enc.Encode(e.answer(ctx, c.ID, c.Process.process(), e.parent(c.Process.Parents))); err != nil {
			return err
		}
	}
	return lines.Err()
}

// parent is the job of the nearest of a case's parents.
func (e *explainer) parent(parents []caseProcess) (job procmon.Job) {
	for i := len(parents) - 1; i >= 0; i-- {
		one := parents[i]
		one.Parents = parents[i+1:]
		job = e.jobs.Job(one.process(), job)
	}
	return job
}

func (e *explainer) answer(ctx context.Context, id any, p *procmon.Process, parent procmon.Job) explained {
	x := e.apps.Explain(ctx, p)
	a := explained{
		ID: id, Application: x.Application.Name, Version: x.Application.Version, Kind: string(x.Application.Kind),
		Package: x.Application.Package, Script: x.Application.Script, Evidence: []evidence{},
	}
	for _, c := range x.Considered {
		if c.Lost != "" {
			a.Considered = append(a.Considered, considered{c.Evidence, c.Name, c.Version, c.Lost})
			continue
		}
		a.Evidence = append(a.Evidence, evidence{c.Evidence, c.Name, c.Version, c.Package})
	}
	job, trail := e.jobs.Explain(p, parent)
	a.trail = trail
	if job.None() && !slices.ContainsFunc(trail, func(s jobmap.Step) bool { return s.Says != "" }) {
		return a
	}
	a.Job = answerOf(&job)
	a.Job.Trail = trail
	return a
}

func answerOf(job *procmon.Job) *jobAnswer {
	a := &jobAnswer{
		Scheduler: job.Scheduler, Cluster: job.Cluster, ID: job.ID, RawID: job.RawID, SLUID: job.SLUID,
		ArrayJob: job.ArrayJob, ArrayTask: job.ArrayTask, HetJob: job.HetJob, HetOffset: job.HetOffset,
		Step: job.Step, Task: job.Task, User: job.User, Account: job.Account, Partition: job.Partition, Name: job.Name,
		Evidence: job.Evidence.String(), By: map[string]string{}, Conflict: job.Conflict,
	}
	if job.By[procmon.JobUser] != procmon.EvidenceNone {
		a.UID = &job.UID
	}
	for f, by := range job.By {
		if by != procmon.EvidenceNone {
			a.By[procmon.JobField(f).String()] = by.String()
		}
	}
	return a
}
