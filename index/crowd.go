package index

import "slices"

const (
	// crowdSize is how many rows one after the other make a crowd that is
	// worth remembering.
	crowdSize = 32
	// mostCrowded bounds the rows that are remembered, some 100 bytes each.
	mostCrowded = 4 * maxShift
)

// runOwner is what tells runs apart that began in the same microsecond.
type runOwner struct {
	host int64
	pid  int32
}

// crowd is rows of t_run without a free number between them: of runs that began
// in the same microsecond, and of those that came to lie behind them. It is
// remembered so that a new one need not look at each of them.
type crowd struct {
	from, to int64 // from ≤ id < to are taken
	ids      map[runOwner][]int64
}

// find gives the row of an owner among those from start on, 0 for none.
func (c *crowd) find(owner runOwner, start int64) int64 {
	ids := c.ids[owner]
	if n, _ := slices.BinarySearch(ids, start); n < len(ids) && ids[n] < start+maxShift {
		return ids[n]
	}
	return 0
}

// grow takes in the rows that follow, as far as those of runs that began at
// start may lie.
func (t *txn) grow(c *crowd, start int64) error {
	for c.to < start+maxShift {
		owner, taken, err := t.ownerOf(c.to)
		if err != nil || !taken {
			return err
		}
		c.ids[owner] = append(c.ids[owner], c.to)
		c.to++
		t.w.cache.crowded++
	}
	return nil
}

// crowdOf gives the crowd that is known to have a row under id, or nil.
func (c *cache) crowdOf(id int64) *crowd {
	for _, k := range c.crowds {
		if k.from <= id && id < k.to {
			return k
		}
	}
	return nil
}

// place looks for the row of a run from its start on. It gives the row's number,
// or the first free one; both are 0 when there is none so near.
func (t *txn) place(start int64, owner runOwner) (row, free int64, err error) {
	if t.w.cache.crowded > mostCrowded {
		t.w.cache.forgetCrowds()
	}
	c := t.w.cache.crowdOf(start)
	if c == nil {
		for free = start; free < start+crowdSize; free++ {
			o, taken, err := t.ownerOf(free)
			switch {
			case err != nil || !taken:
				return 0, free, err
			case o == owner:
				return free, 0, nil
			}
		}
		c = t.w.cache.newCrowd(start)
	}
	if err := t.grow(c, start); err != nil {
		return 0, 0, err
	}
	if row = c.find(owner, start); row != 0 || c.to >= start+maxShift {
		return row, 0, nil
	}
	return 0, c.to, nil
}

// leftBehind looks for the row of a run before which there are gaps: it went on
// while others that began at the same time were pruned. It looks no farther than
// an execve takes, after which the same pid would be another run's.
func (t *txn) leftBehind(start int64, owner runOwner) (*runRow, error) {
	var id int64
	found, err := t.get("SELECT id FROM t_run WHERE id > ? AND id < ? AND host = ? AND pid = ? ORDER BY id LIMIT 1",
		[]any{start, start + crowdSize, owner.host, owner.pid}, &id)
	if !found {
		return nil, err
	}
	return t.runAt(id, start)
}

// newCrowd begins a crowd, of no row yet.
func (c *cache) newCrowd(from int64) *crowd {
	k := &crowd{from: from, to: from, ids: make(map[runOwner][]int64)}
	c.crowds = append(c.crowds, k)
	return k
}

// forgetCrowds is for when rows are deleted.
func (c *cache) forgetCrowds() { c.crowds, c.crowded = nil, 0 }

func (t *txn) ownerOf(id int64) (o runOwner, taken bool, err error) {
	taken, err = t.get("SELECT host, pid FROM t_run WHERE id = ?", []any{id}, &o.host, &o.pid)
	return o, taken, err
}
