package index

import (
	"context"
	"time"
)

// clockSlack is how far two reckonings of a run's start from the kernel's clock
// may lie apart.
const clockSlack = 20 * time.Millisecond

// Recorded says of each run of this host, given by its process and its start,
// whether it has its last record.
func (w *Writer) Recorded(ctx context.Context, pids []int32, starts []time.Time) ([]bool, error) {
	has := make([]bool, len(pids))
	err := w.do(ctx, func(t *txn) error {
		host, err := t.host(w.opts.Host)
		if err != nil {
			return err
		}
		for i, pid := range pids {
			var n int
			if _, err := t.get("SELECT count(*) FROM t_run WHERE id BETWEEN ? AND ? AND pid = ? AND host = ? AND flags & ? = 0",
				[]any{starts[i].Add(-clockSlack).UnixMicro(), starts[i].Add(clockSlack).UnixMicro(), pid, host, int64(flagOpen)}, &n); err != nil {
				return err
			}
			has[i] = n > 0
		}
		return nil
	})
	return has, err
}
