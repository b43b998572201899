package procconn

import (
	"fmt"
	"math/bits"

	"golang.org/x/net/bpf"
)

// cpuRange is an inclusive range of CPU numbers.
type cpuRange struct{ lo, hi uint32 }

// maxCPU bounds CPU numbers: the filter reads two bytes of them.
const maxCPU = 1<<16 - 1

// filter builds the classic BPF program of one reader: fork, exec and exit of
// whole processes, not of threads, on the given CPUs. The kernel runs it when
// it is about to queue a message, so that what is dropped here costs no memory.
func filter(cpus []cpuRange) ([]bpf.RawInstruction, error) {
	const drop = "drop"
	a := assembler{labels: map[string]int{}}
	a.load(offWhat)
	a.jump(bpf.JumpEqual, bits.ReverseBytes32(whatExec), "cpu")
	a.jump(bpf.JumpEqual, bits.ReverseBytes32(whatExit), "exit")
	a.jump(bpf.JumpNotEqual, bits.ReverseBytes32(whatFork), drop)
	a.load(offData + 12) // child tgid
	a.add(bpf.TAX{})
	a.load(offData + 8) // child pid
	a.goTo("leader")
	a.label("exit")
	a.load(offData + 4) // tgid
	a.add(bpf.TAX{})
	a.load(offData) // pid
	a.label("leader")
	a.jumpX(bpf.JumpNotEqual, drop)
	a.label("cpu")
	// The CPU number in host order: its two low bytes, little endian.
	a.add(bpf.LoadAbsolute{Off: offCPU + 1, Size: 1})
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 8})
	a.add(bpf.TAX{})
	a.add(bpf.LoadAbsolute{Off: offCPU, Size: 1})
	a.add(bpf.ALUOpX{Op: bpf.ALUOpOr})
	for i, r := range cpus {
		next := fmt.Sprintf("next%d", i)
		a.jump(bpf.JumpLessThan, r.lo, next)
		a.add(bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: r.hi, SkipTrue: 1})
		a.add(bpf.RetConstant{Val: messageSize})
		a.label(next)
	}
	a.label(drop)
	a.add(bpf.RetConstant{Val: 0})
	code, err := a.assemble()
	if err != nil {
		return nil, err
	}
	return bpf.Assemble(code)
}

// assembler lets jumps name where they go; they go forward only.
type assembler struct {
	code   []labelled
	labels map[string]int
}

type labelled struct {
	ins    bpf.Instruction
	target string // where a Jump goes
}

func (a *assembler) add(ins bpf.Instruction) { a.code = append(a.code, labelled{ins: ins}) }

func (a *assembler) load(off uint32) { a.add(bpf.LoadAbsolute{Off: off, Size: 4}) }

func (a *assembler) label(name string) { a.labels[name] = len(a.code) }

// jump goes to target when the condition holds: over a long jump if not.
func (a *assembler) jump(cond bpf.JumpTest, val uint32, target string) {
	a.add(bpf.JumpIf{Cond: cond, Val: val, SkipFalse: 1})
	a.goTo(target)
}

func (a *assembler) goTo(target string) {
	a.code = append(a.code, labelled{ins: bpf.Jump{}, target: target})
}

func (a *assembler) jumpX(cond bpf.JumpTest, target string) {
	a.add(bpf.JumpIfX{Cond: cond, SkipFalse: 1})
	a.goTo(target)
}

func (a *assembler) assemble() ([]bpf.Instruction, error) {
	code := make([]bpf.Instruction, len(a.code))
	for i, l := range a.code {
		code[i] = l.ins
		if l.target == "" {
			continue
		}
		to, ok := a.labels[l.target]
		if !ok || to <= i {
			return nil, fmt.Errorf("filter: no label %q ahead", l.target)
		}
		code[i] = bpf.Jump{Skip: uint32(to - i - 1)}
	}
	return code, nil
}

// without gives what is left of a range without some CPUs, which ascend.
func (r cpuRange) without(cpus []int) []cpuRange {
	var left []cpuRange
	next := r.lo
	for _, cpu := range cpus {
		if c := uint32(cpu); r.lo <= c && c <= r.hi {
			if c > next {
				left = append(left, cpuRange{next, c - 1})
			}
			next = c + 1
		}
	}
	if next <= r.hi {
		left = append(left, cpuRange{next, r.hi})
	}
	return left
}
