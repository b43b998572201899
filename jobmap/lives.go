package jobmap

import "slices"

// lives are what a job's file says of the job, one facts per restart, in the
// order in which they began on this machine.
type lives []*facts

func (l lives) find(restart int) *facts {
	for _, f := range l {
		if f.restart == restart {
			return f
		}
	}
	return nil
}

// add takes in one block. A done block makes no life.
func (l *lives) add(b block) {
	n, _ := restart(b.values["RESTART"])
	switch b.kind {
	case blockBegin:
		l.begin(n, b)
	case blockEnd:
		l.end(n, b)
	case blockDone:
		if f := l.find(n); f != nil {
			f.done = true
		}
	}
}

// begin opens life n on a node. The begin block of a job that came later under
// the same id and restart starts afresh. An end of this number that the node
// told before was of the life before, whose begin is missing.
func (l *lives) begin(n int, b block) {
	f := l.find(n)
	if f == nil {
		f = &facts{restart: n}
		*l = append(*l, f)
	}
	s := f.on(b.values["NODE"])
	switch {
	case f.done || f.ended() && s != nil && s.began:
		*f = facts{restart: n}
	case s != nil && s.ended && !s.began:
		l.handBack(f, *s)
	}
	f.apply(b)
}

// end closes life n on a node, or the life before. When Slurm requeues a job
// it counts the restart first and runs the epilog of the life that is over
// after that (seen with 22.05): such an end says n and is of n-1.
func (l *lives) end(n int, b block) {
	node := b.values["NODE"]
	f := l.find(n)
	if f == nil || f.on(node) == nil || !f.on(node).began {
		if before := l.find(n - 1); before != nil && before.awaits(b) {
			before.apply(b)
			before.share(node).requeued = true
			return
		}
	}
	if f == nil {
		f = &facts{restart: n}
		*l = append(*l, f)
	}
	f.apply(b)
}

// awaits says whether the end block of the next restart can be this life's: it
// is open on that node, or was closed so and the epilog runs once more.
func (f *facts) awaits(b block) bool {
	if uid, ok := parseUID(b.values["UID"]); ok && f.hasUID && uid != f.uid {
		return false // another job of the same id
	}
	s := f.on(b.values["NODE"])
	return s != nil && (!s.ended || s.requeued)
}

// handBack gives the end of a node that f never began on to the life before
// f, unless that has one of its own.
func (l *lives) handBack(f *facts, s share) {
	old := *f
	f.shares = slices.DeleteFunc(slices.Clone(f.shares), func(have share) bool { return have.node == s.node })
	if len(f.shares) == 0 {
		*f = facts{restart: f.restart}
	}
	if old.restart == 0 {
		return // of an earlier job of the same id
	}
	before := l.find(old.restart - 1)
	switch {
	case before == nil:
		old.restart--
		old.shares = []share{s}
		*l = slices.Insert(*l, slices.Index(*l, f), &old)
	case before.on(s.node) == nil && before.uid == old.uid:
		before.shares = append(before.shares, s)
	}
}

// repeats says whether an end that has no begin tells once more how old ended,
// be it by old's number or, when it was requeued, by the next.
func (f *facts) repeats(old *facts) bool {
	if f.uid != old.uid {
		return false
	}
	if f.restart == old.restart {
		return true
	}
	return f.restart == old.restart+1 && !slices.ContainsFunc(f.shares, func(s share) bool {
		had := old.on(s.node)
		return had == nil || !had.requeued
	})
}
