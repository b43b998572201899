package history

import (
	"strconv"
	"time"

	"procmon"
)

// run makes the next run of a job and queues its records.
func (g *Generator) run(j *job) {
	d := g.dice
	h := j.hosts[0]
	first := j.began.IsZero()
	p, step, task := g.what(j, first)
	if step == "0" && len(j.hosts) > 1 {
		h = j.hosts[task%len(j.hosts)]
	}
	h.pid = h.pid%4_000_000 + 1 + int32(d.IntN(3))
	exec := procmon.BootNS(g.now.Sub(g.mix.Start) + 100*time.Hour)
	id := procmon.RunID{Process: procmon.ProcessID{PID: h.pid, Start: exec.Ticks()}, Exec: exec}
	run := &procmon.Run{UserName: j.who.name, Job: j.facts, Application: p.app, Start: g.now, Parent: j.shell}
	if j.kind != login {
		run.Job.Step, run.Job.Task = step, strconv.Itoa(task)
	}
	if first {
		j.began, j.ends, j.shell = g.now, g.now, id
	}
	args := g.command(j, p, run, first)
	run.Process = &procmon.Process{Run: id, Boot: h.boot, Time: g.now, PPID: max(1, j.shell.Process.PID), UID: j.who.uid, EUID: j.who.uid,
		GID: 100, Comm: p.software.exe, Exe: p.exe, Args: args, ArgsBytes: len(args)}
	g.cost(j, p, run)
	g.tell(h, run)
}

// what chooses a run's program, step and task.
func (g *Generator) what(j *job, first bool) (p *program, step string, task int) {
	d := g.dice
	newest := func(all [][]*program, i int) *program { return j.who.version(d, all[i], g.passed()) }
	if first {
		return g.tools[0][0], "batch", 0
	}
	switch j.kind {
	case build:
		if d.chance(0.6) {
			return newest(g.builders, d.IntN(len(g.builders))), "batch", 0
		}
	case mpi:
		switch {
		case j.left == 1:
			return newest(g.launchers, d.IntN(len(g.launchers))), "batch", 0
		case j.left > 5:
			return j.main, "0", j.left
		}
	case pipeline:
		if d.chance(0.15) {
			return j.main, strconv.Itoa(j.left % 4), 0
		}
	case small, array:
		if j.left == 1 || d.chance(0.05) {
			return j.main, "batch", 0
		}
	}
	return newest(g.tools, g.toolUse.draw(d)), "batch", 0
}

// cost draws how long a run takes, what it uses and how it ends.
func (g *Generator) cost(j *job, p *program, run *procmon.Run) {
	d := g.dice
	elapsed := min(max(d.spread(p.median, p.sigma), 300*time.Microsecond), 72*time.Hour)
	if p == j.main && j.kind == pipeline {
		elapsed /= 50 // many short ones
	}
	elapsed = elapsed.Truncate(time.Microsecond)
	run.End = run.Start.Add(elapsed)
	busy := 0.3 + 0.69*d.Float64()
	switch {
	case p.kind == procmon.KindShell, p.kind == procmon.KindLauncher, p.software.exe == "sleep":
		busy *= 0.02
	case p == j.main && j.kind == small:
		busy *= float64(j.cores)
	}
	cpu := time.Duration(float64(elapsed) * busy).Truncate(time.Microsecond)
	system := time.Duration(float64(cpu) * 0.1 * d.Float64()).Truncate(time.Microsecond)
	if !d.chance(0.001) {
		run.Usage = &procmon.Usage{User: cpu - system, System: system, MaxRSS: uint64(float64(p.rss/4096)*(0.5+d.Float64())) * 4096}
		if d.chance(0.3) {
			run.Usage.Read = uint64(d.pareto(1, 0.8, 1<<26)) * 4096
			run.Usage.Write = uint64(d.pareto(1, 0.9, 1<<26)) * 4096
		}
	}
	run.Exit = &procmon.Exit{}
	switch x := d.Float64(); {
	case x < 0.034:
		run.Exit.Code = []int{1, 1, 1, 1, 2, 127, 255}[d.IntN(7)]
	case x < 0.04:
		run.Exit.Signal = []int{9, 11, 13, 15, 6}[d.IntN(5)]
	}
	j.cpu += cpu
	if run.End.After(j.ends) {
		j.ends = run.End
	}
}

// tell queues the records of a run.
func (g *Generator) tell(h *host, run *procmon.Run) {
	record := procmon.Record{Host: h.name, Boot: h.boot, Time: run.End, Run: run}
	elapsed := run.Elapsed()
	if elapsed <= startAfter {
		g.later(record)
		return
	}
	record.Phase = procmon.End
	g.later(record)
	for at := startAfter; at < elapsed; at += checkpointEvery {
		open := *run
		open.End, open.Exit, open.Usage = time.Time{}, nil, nil
		r := procmon.Record{Host: h.name, Boot: h.boot, Time: run.Start.Add(at), Phase: procmon.Start, Run: &open}
		if at > startAfter {
			r.Phase, open.Usage = procmon.Checkpoint, part(run.Usage, float64(at)/float64(elapsed))
		}
		g.later(r)
	}
}

// part is what was used until a part of the time had passed.
func part(u *procmon.Usage, of float64) *procmon.Usage {
	if u == nil {
		return nil
	}
	time := func(d time.Duration) time.Duration { return time.Duration(of * float64(d)).Truncate(1000) }
	bytes := func(n uint64) uint64 { return uint64(of * float64(n)) }
	return &procmon.Usage{User: time(u.User), System: time(u.System), MaxRSS: u.MaxRSS, Read: bytes(u.Read), Write: bytes(u.Write)}
}
