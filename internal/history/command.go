package history

import (
	"fmt"
	"math"

	"procmon"
)

const (
	commonLines = 32 // of a program, which anybody may repeat
	jobLines    = 8  // of a job, which its runs repeat
	lineMedian  = 64 // bytes
	lineSigma   = 0.55
)

// ownLine is a command line that a job's runs repeat.
type ownLine struct {
	of   *program
	line []byte
}

// command gives a run its arguments: a new command line, one that its job had
// or one that is common. Interpreters and shells get a script.
func (g *Generator) command(j *job, p *program, run *procmon.Run, first bool) []byte {
	d := g.dice
	if first && j.kind != login {
		script := fmt.Sprintf("/var/spool/slurmd/job%05s/slurm_script", j.facts.RawID)
		run.Application.Script = script
		g.fresh++
		return []byte("/bin/bash\x00" + script + "\x00")
	}
	if p.kind == procmon.KindInterpreter && p == j.main {
		run.Application.Script = fmt.Sprintf("/home/%s/work/step%02d.%s", j.who.name, d.IntN(1+d.IntN(40)), p.software.exe[:1])
	}
	// What scripts of jobs had too much or too little is made up for.
	owed := g.mix.Fresh*float64(g.begun) - float64(g.fresh)
	if d.chance(g.mix.Fresh + owed/64) {
		g.fresh++
		line := g.line(p, run, fmt.Sprintf("/scratch/%s/%d/out.%d.dat", j.who.name, g.jobs, g.begun))
		if len(j.lines) < jobLines {
			j.lines = append(j.lines, ownLine{p, line})
		} else {
			j.lines[d.IntN(jobLines)] = ownLine{p, line}
		}
		return line
	}
	for _, own := range j.lines {
		if own.of == p && d.chance(0.7) {
			return own.line
		}
	}
	if len(p.lines) < commonLines {
		p.lines = append(p.lines, g.line(p, run, fmt.Sprintf("/data/common/set%04d.in", g.fresh)))
		g.fresh++
		return p.lines[len(p.lines)-1]
	}
	return p.lines[min(d.IntN(len(p.lines)), d.IntN(len(p.lines)))]
}

// line makes a command line around the name of a file. Most are short, some
// list files on and on.
func (g *Generator) line(p *program, run *procmon.Run, file string) []byte {
	want := min(int(lineMedian*math.Exp(lineSigma*g.dice.NormFloat64())), 4000)
	b := append([]byte(p.software.exe), 0)
	if s := run.Application.Script; s != "" {
		b = append(append(b, s...), 0)
	}
	b = append(append(b, file...), 0)
	for n := 0; len(b)+12 < want; n++ {
		b = fmt.Appendf(b, "--opt%d=%05x\x00", n%10, g.dice.Uint32()&0xfffff)
	}
	return b
}
