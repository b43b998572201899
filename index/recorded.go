package index

import (
	"context"
	"encoding/binary"

	"procmon"
)

// The ends that the last transactions wrote are kept by their ids, so that after
// a crash of the daemon it is known to the letter which they were.
const (
	metaEnds   = "ends " // and a slot
	endSlots   = 16      // transactions
	endIDBytes = 20
)

// noteEnds keeps the ids of the runs that end with these records in one of the
// slots, in turn.
func (t *txn) noteEnds(records []procmon.Record) error {
	ids := append([]byte(nil), t.w.opts.Boot...)
	for i := range records {
		r := &records[i]
		if r.Run != nil && r.Run.Process != nil && r.Boot == t.w.opts.Boot && (r.Phase == procmon.Whole || r.Phase == procmon.End) {
			ids = appendRunID(ids, r.Run.Process.Run)
		}
	}
	if len(ids) == len(t.w.opts.Boot) {
		return nil
	}
	t.w.ends = (t.w.ends + 1) % endSlots
	err := t.exec("INSERT OR REPLACE INTO t_meta (key, value) VALUES (?, ?)", metaEnds+string('a'+rune(t.w.ends)), ids)
	return err
}

func appendRunID(b []byte, id procmon.RunID) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(id.Process.PID))
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Process.Start))
	return binary.LittleEndian.AppendUint64(b, uint64(id.Exec))
}

// Recorded gives those of the runs of this boot whose last record was written by
// one of the last few calls of Write, this writer's or an earlier one's.
func (w *Writer) Recorded(ctx context.Context, ids []procmon.RunID) ([]procmon.RunID, error) {
	ended := map[[endIDBytes]byte]bool{}
	err := w.do(ctx, func(t *txn) error {
		return t.each("SELECT value FROM t_meta WHERE key >= ? AND key < ?", []any{metaEnds, metaEnds + "~"}, func(scan func(...any) error) error {
			var b []byte
			if err := scan(&b); err != nil {
				return err
			}
			boot := len(w.opts.Boot)
			if len(b) < boot || string(b[:boot]) != w.opts.Boot {
				return nil
			}
			for b = b[boot:]; len(b) >= endIDBytes; b = b[endIDBytes:] {
				ended[[endIDBytes]byte(b)] = true
			}
			return nil
		})
	})
	var recorded []procmon.RunID
	for _, id := range ids {
		if ended[[endIDBytes]byte(appendRunID(nil, id))] {
			recorded = append(recorded, id)
		}
	}
	return recorded, err
}
