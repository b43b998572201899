package index

import (
	"context"
	"crypto/sha256"
	"math"

	"procmon"
)

const (
	// keptText is the longest command line that is stored, in bytes: users
	// choose them, and the JSON lines have more.
	keptText = 4 << 10
	// longText is from where on a text takes several times the room of its run
	// and goes before whole runs do.
	longText = 512
	// measureEvery is after how many records Write looks whether there is room
	// for texts.
	measureEvery = 256
)

// idSet is a set of row numbers, 64 an entry: they lie close together.
type idSet map[int64]uint64

func (s idSet) add(id int64)      { s[id>>6] |= 1 << (id & 63) }
func (s idSet) has(id int64) bool { return s[id>>6]>>(id&63)&1 != 0 }

// strip sets the command line of the runs that have one of drop to none, marked
// as cut, and notes what the others use. It gives the number of runs.
func (w *Writer) strip(ctx context.Context, drop idSet) (runs int64, err error) {
	at := int64(math.MinInt64)
	err = w.repeat(ctx, func(t *txn) (bool, error) {
		var ids []int64
		n := 0
		err := t.each("SELECT id, command FROM t_run WHERE id > ? ORDER BY id LIMIT ?", []any{at, pruneStep}, func(scan func(...any) error) error {
			var command int64
			n++
			if err := scan(&at, &command); err != nil {
				return err
			}
			if drop.has(command) {
				ids = append(ids, at)
			} else {
				w.used.add(command)
			}
			return nil
		})
		for i := 0; i < len(ids) && err == nil; i++ {
			err = t.exec("UPDATE t_run SET command = 0, flags = flags | ? WHERE id = ?", int64(flagCut), ids[i])
		}
		runs += int64(n)
		return n < pruneStep, err
	})
	return runs, err
}

// texts goes through all texts, a step a transaction, and deletes those that
// gone names. Row 0, which stands for none, stays.
func (w *Writer) texts(ctx context.Context, gone func(id, bytes int64) bool) error {
	at := int64(0)
	return w.repeat(ctx, func(t *txn) (bool, error) {
		var ids []int64
		n := 0
		err := t.each("SELECT id, ifnull(octet_length(text), 0) FROM t_command WHERE id > ? ORDER BY id LIMIT ?", []any{at, pruneStep}, func(scan func(...any) error) error {
			var bytes int64
			n++
			if err := scan(&at, &bytes); err != nil {
				return err
			}
			if gone(at, bytes) {
				ids = append(ids, at)
			}
			return nil
		})
		for i := 0; i < len(ids) && err == nil; i++ {
			err = t.exec("DELETE FROM t_command WHERE id = ?", ids[i])
		}
		if len(ids) > 0 {
			w.cache.forget()
		}
		return n < pruneStep, err
	})
}

// deleteTexts deletes the texts up to one that are not in use.
func (w *Writer) deleteTexts(ctx context.Context, last int64) error {
	return w.texts(ctx, func(id, _ int64) bool { return id <= last && !w.used.has(id) })
}

// lastText is the newest text.
func (w *Writer) lastText(ctx context.Context) (id int64, err error) {
	err = w.do(ctx, func(t *txn) error {
		_, err := t.get("SELECT max(id) FROM t_command", nil, &id) // row 0 is always there
		return err
	})
	return id, err
}

// longTexts chooses the longest texts that take at least need bytes together,
// or all long ones when they take less.
func (w *Writer) longTexts(ctx context.Context, need int64) (idSet, error) {
	const width = 64
	var classes [1024]int64 // bytes of the texts of about one length
	class := func(bytes int64) int64 { return min(bytes/width, int64(len(classes))-1) }
	if err := w.texts(ctx, func(_, bytes int64) bool {
		classes[class(bytes)] += bytes
		return false
	}); err != nil {
		return nil, err
	}
	from := int64(len(classes)) - 1
	for ; from > longText/width && need > classes[from]; from-- {
		need -= classes[from]
	}
	drop := make(idSet)
	return drop, w.texts(ctx, func(id, bytes int64) bool {
		if class(bytes) > from || class(bytes) == from && need > 0 {
			drop.add(id)
			if class(bytes) == from {
				need -= bytes
			}
		}
		return false
	})
}

// store stores the i-th record of a batch, with as much of its command line as
// may be kept.
func (t *txn) store(i int, r *procmon.Record) error {
	if i%measureEvery == 0 {
		if err := t.measure(); err != nil {
			return err
		}
	}
	short := t.shorten(r)
	if short == r {
		return t.record(r)
	}
	key := liveKeyOf(r.Boot, r.Run.Process)
	_, was := t.w.cache.live[key]
	if err := t.record(short); err != nil {
		return err
	}
	state, is := t.w.cache.live[key]
	if was || !is {
		return nil
	}
	// The daemon goes on with what is kept of an open run: that is the whole.
	delete(t.w.cache.live, key)
	return t.keepLive(key, r, &runRow{id: state.run})
}

// shorten gives a record with no more of the arguments than makes a text of
// keptText bytes, and where there is no room for new texts, with none that is
// not there already.
func (t *txn) shorten(r *procmon.Record) *procmon.Record {
	if r.Run == nil || r.Run.Process == nil {
		return r
	}
	args := r.Run.Process.Args
	keep := t.w.keptArgs(args)
	if t.w.full && keep > 0 {
		t.w.line, _ = commandLine(t.w.line[:0], args[:keep])
		if !t.hasText(t.w.line) {
			keep = 0
		}
	}
	if keep == len(args) {
		return r
	}
	// The caller's record stays as it is: others print the whole.
	record, run, process := *r, *r.Run, *r.Run.Process
	record.Run, run.Process = &run, &process
	process.Args, process.ArgsBytes = args[:keep], max(process.ArgsBytes, len(args))
	return &record
}

// measure notes whether there is room for new texts: the file may be a quarter
// larger than allowed until the next Prune.
func (t *txn) measure() error {
	t.w.full = false
	if t.w.opts.MaxBytes <= 0 {
		return nil
	}
	var bytes int64
	_, err := t.get("SELECT p.page_count * s.page_size FROM pragma_page_count p, pragma_page_size s", nil, &bytes)
	t.w.full = bytes-t.w.opts.MaxBytes > t.w.opts.MaxBytes/4
	return err
}

// keptArgs is how many bytes of arguments make a text of at most keptText.
func (w *Writer) keptArgs(args []byte) int {
	fits := func(n int) bool {
		w.line, _ = commandLine(w.line[:0], args[:n])
		return len(w.line) <= keptText
	}
	// Quoting makes four bytes of one at most, and two more.
	if 4*len(args)+2 <= keptText {
		return len(args)
	}
	keep, over := 0, min(len(args), keptText)+1
	if fits(over - 1) {
		return over - 1
	}
	for keep+1 < over {
		if mid := (keep + over) / 2; fits(mid) {
			keep = mid
		} else {
			over = mid
		}
	}
	return keep
}

// hasText says whether a text needs no row of its own.
func (t *txn) hasText(line []byte) bool {
	sum := sha256.Sum256(line)
	_, ok := t.w.cache.commands.get([16]byte(sum[:]))
	return ok
}
