package index

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// Two programs that one process was within a millisecond are two runs: the one
// that is not recorded must not be taken for the other.
func TestRecordedKnowsRunsApart(t *testing.T) {
	o := testOptions(t)
	w := mustOpen(t, o)
	run := func(exec procmon.BootNS, phase procmon.Phase) procmon.Record {
		r := whole(aRun())
		r.Phase, r.Run.Process.Run.Exec = phase, exec
		return r
	}
	id := func(exec procmon.BootNS) procmon.RunID {
		return procmon.RunID{Process: aRun().Process.Run.Process, Exec: exec}
	}
	mustWrite(t, w, run(5_000_000, procmon.Whole), run(5_000_900, procmon.Start))
	ask := func(want ...procmon.RunID) {
		t.Helper()
		got, err := w.Recorded(context.Background(), []procmon.RunID{id(5_000_000), id(5_000_900), id(6_000_000)})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	ask(id(5_000_000))
	for i := range procmon.BootNS(endSlots) { // an early one is not remembered for ever
		mustWrite(t, w, run(6_000_000+i, procmon.Whole))
	}
	ask(id(6_000_000))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = mustOpen(t, o)
	ask(id(6_000_000))
	mustWrite(t, w, run(7_000_000, procmon.Whole)) // in another slot than the earlier one's last
	o.Boot = "boot-2"
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = mustOpen(t, o)
	ask()
}
