package bpf

import (
	"testing"

	"procmon"
)

// A run is told once: not again while it waits to be forgotten, nor by a sweep
// that read the books before it was.
func TestBooksTellOnce(t *testing.T) {
	b := newBooks()
	raw := captureRunId{Pid: 7, Start: 1, Exec: 2}
	run := raw.id()
	forget := func() {
		delete(b.told, run)
		if b.gone != nil {
			b.gone[run] = struct{}{}
		}
	}
	if !b.tell(run, raw) || b.tell(run, raw) {
		t.Error("told twice, or not at all")
	}
	b.sweep(true)
	forget()
	if b.tell(run, raw) {
		t.Error("told by a sweep that had read it before it was forgotten")
	}
	b.sweep(false)
	if !b.tell(run, raw) {
		t.Error("kept for ever")
	}
	b.forgotten[procmon.RunID{Exec: 9}] = struct{}{}
	if b.tell(procmon.RunID{Exec: 9}, captureRunId{Exec: 9}) {
		t.Error("an earlier daemon recorded it")
	}
}
