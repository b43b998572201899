package bpf

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"procmon"
)

// known notes what a Source tells of processes.
type known struct{ pids map[int32]bool }

func (k known) Exec(p *procmon.Process)                     { k.pids[p.Run.Process.PID] = true }
func (k known) Exit(pid int32)                              { delete(k.pids, pid) }
func (known) Complete(*procmon.Process, []procmon.Ancestor) {}

// An execve that ends the run that it replaces is told before that end: what
// begins has the parent and the job of what it replaces, and stays known as an
// ancestor of what it starts.
func TestExecIsToldBeforeTheEndItCauses(t *testing.T) {
	ancestors := known{map[int32]bool{}}
	s := &Source{
		cfg:     Config{Ancestors: ancestors, Logger: slog.New(slog.DiscardHandler)},
		decoder: testDecoder(), books: newBooks(), unreaped: map[captureRunId]struct{}{},
	}
	var told []procmon.EventKind
	b := sample(func(e *captureExecRecord) {
		e.Flags |= execOwnerOver
		e.Owner.Pid = e.Head.Run.Pid
	})
	s.hand(b, 80e9, time.Unix(0, 0), func(e *procmon.Event) { told = append(told, e.Kind) })
	if want := []procmon.EventKind{procmon.EventExec, procmon.EventOver}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if !ancestors.pids[42] {
		t.Error("the new program is not known as an ancestor")
	}
}
