package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"procmon"
)

// loadResult is what came of a load.
type loadResult struct {
	source       string
	started      int
	recorded     int               // runs, each once
	whole        int               // of these, with every field
	twice        int               // runs that came again
	lacking      map[string]int    // runs by what they lack
	lost         map[string]uint64 // events for which runs can be missing, by reason; of the whole node
	gaps         int               // losses of unknown number
	microsPerRun int64             // CPU time of who recorded; 0: not measured
}

// count adds n runs that lack some fields.
func (r *loadResult) count(lacks []string, n int) {
	r.recorded += n
	if len(lacks) == 0 {
		r.whole += n
	}
	for _, field := range lacks {
		r.lacking[field] += n
	}
}

// lose adds a loss if runs can be missing for it; n 0 is not known how many.
func (r *loadResult) lose(reason, where string, n uint64) {
	if !procmon.LosesRuns(reason, where) {
		return
	}
	r.lost[reason] += n
	if n == 0 {
		r.gaps++
	}
}

// losses is how many events were lost.
func (r *loadResult) losses() (n uint64) {
	for _, lost := range r.lost {
		n += lost
	}
	return n
}

// finding is what a check says of it: all is well when every run is recorded
// with every field. A run that is neither recorded nor counted as lost is a
// failure: then nothing that procmond says of its losses can be trusted.
func (r *loadResult) finding() finding {
	f := finding{what: "load: " + r.String()}
	lost := r.losses()
	missing := r.started - min(r.started, r.recorded)
	switch {
	case r.twice > 0:
		f.err, f.fix = fmt.Errorf("%s recorded twice", grouped(int64(r.twice))), "this must not be; please report it with this line"
	case uint64(missing) > lost && r.gaps == 0:
		f.err = fmt.Errorf("%s neither recorded nor counted as lost", grouped(int64(missing)-int64(lost)))
		f.fix = "this must not be; please report it with this line"
	case missing > 0 || r.whole < r.recorded:
		f.warn, f.err = true, fmt.Errorf("%s not recorded, %s not whole", grouped(int64(missing)), grouped(int64(r.recorded-r.whole)))
		f.fix = r.fix()
	}
	return f
}

// fix is what helps against most losses of this kind.
func (r *loadResult) fix() string {
	if r.lost[procmon.LossRing] > 0 {
		return "raise bpf.ring_bytes; docs/troubleshooting.md, Many programs vanish"
	}
	return "let procmond run on every CPU, with procconn.realtime = \"readers\" or, where that is not enough, \"all\"; docs/troubleshooting.md, Many programs vanish"
}

// String is the result in a line.
func (r *loadResult) String() string {
	s := fmt.Sprintf("%s of %s runs recorded with every field (%s)", grouped(int64(r.whole)), grouped(int64(r.started)), r.source)
	if n := r.recorded - r.whole; n > 0 {
		s += fmt.Sprintf(", %s without %s", grouped(int64(n)), most(r.lacking))
	}
	lost := r.losses()
	s += fmt.Sprintf(", %s lost", grouped(int64(lost)))
	if lost > 0 {
		s += " on the whole node: " + most(r.lost)
	}
	if r.gaps > 0 {
		s += ", and an unknown number"
	}
	if r.microsPerRun > 0 {
		s += fmt.Sprintf("; %s µs CPU a run", grouped(r.microsPerRun))
	}
	return s
}

// most lists counted things, the most first.
func most[N int | uint64](counts map[string]N) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	parts := make([]string, 0, len(names))
	for _, name := range names {
		if counts[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", name, grouped(int64(counts[name]))))
		}
	}
	return strings.Join(parts, ", ")
}

// grouped is a number with a comma between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
