package index

import (
	"context"
	"fmt"
)

// pruneStep is how many rows one transaction of Prune looks at or deletes: few
// enough that a Write never waits long behind it.
const pruneStep = 2000

// Prune forgets what Options say is old, and then, where the file is still too
// large, what is least needed: see fit. It works in many short transactions,
// between which Write goes on, and gives space back to the file system. Call it
// every few minutes.
func (w *Writer) Prune(ctx context.Context) error {
	w.pruning.Lock()
	defer w.pruning.Unlock()
	now := w.opts.Now()
	if w.opts.KeepRuns > 0 {
		if err := w.pruneRuns(ctx, now.Add(-w.opts.KeepRuns).UnixMicro()); err != nil {
			return err
		}
	}
	from, err := w.usageFrom(ctx)
	if err != nil {
		return err
	}
	if w.opts.KeepUsage > 0 {
		from = max(from, dayOf(now.Add(-w.opts.KeepUsage).UnixMicro()))
	}
	if _, err := w.pruneUsage(ctx, from); err != nil {
		return err
	}
	if err := w.vacuum(ctx); err != nil {
		return err
	}
	return w.fit(ctx, now)
}

// repeat calls step in transactions of its own until it says that it is done.
func (w *Writer) repeat(ctx context.Context, step func(*txn) (done bool, err error)) error {
	for done := false; !done; {
		err := w.do(ctx, func(t *txn) (err error) {
			done, err = step(t)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pruneRuns deletes the single runs that started before a time. Open runs
// stay: their end is still to come.
func (w *Writer) pruneRuns(ctx context.Context, before int64) error {
	changed := false
	err := w.repeat(ctx, func(t *txn) (bool, error) {
		n, err := t.deleteRuns(before, pruneStep)
		changed = changed || n > 0
		return n < pruneStep, err
	})
	if err != nil || !changed {
		return err
	}
	return w.pruneCommands(ctx, before)
}

// deleteRuns deletes the oldest runs before a time, limit at most.
func (t *txn) deleteRuns(before, limit int64) (int64, error) {
	var last *int64
	_, err := t.get(`SELECT max(id) FROM (SELECT id FROM t_run WHERE id < ? AND flags & 1 = 0 ORDER BY id LIMIT ?)`,
		[]any{before, limit}, &last)
	if err != nil || last == nil {
		return 0, err
	}
	if err := t.setMeta("runs_from", *last+1); err != nil {
		return 0, err
	}
	n, err := t.change("DELETE FROM t_run WHERE id <= ? AND flags & 1 = 0", *last)
	if err != nil {
		return 0, err
	}
	t.w.cache.forgetCrowds()
	err = t.exec("DELETE FROM t_told WHERE run <= ?1 AND run NOT IN (SELECT id FROM t_run WHERE id <= ?1)", *last)
	return n, err
}

// pruneCommands deletes the command lines that no run has any more: last used
// before the day of the oldest run, but for those of open runs.
func (w *Writer) pruneCommands(ctx context.Context, before int64) error {
	// Texts have days, not times: once a day is enough.
	day, swept := dayOf(before), int64(0)
	if err := w.do(ctx, func(t *txn) error {
		_, err := t.get("SELECT value FROM t_meta WHERE key = 'commands_from'", nil, &swept)
		return err
	}); err != nil || day <= swept {
		return err
	}
	if err := w.walk(ctx, "t_command", `DELETE FROM t_command WHERE id > ?1 AND id <= ?2 AND day < ?3 - 7 -- usedDays
		AND id NOT IN (SELECT command FROM t_run WHERE id < ?3 * 86400000000)`, day); err != nil {
		return err
	}
	return w.do(ctx, func(t *txn) error { return t.setMeta("commands_from", day) })
}

// walk runs a deletion over all ids of a table, a step at a time; ?1 and ?2
// bound the step, ?3 is a day. What the caches know of the rows is forgotten.
func (w *Writer) walk(ctx context.Context, table, query string, day int64) error {
	at := int64(0)
	return w.repeat(ctx, func(t *txn) (bool, error) {
		var end *int64
		_, err := t.get("SELECT max(id) FROM (SELECT id FROM "+table+" WHERE id > ? ORDER BY id LIMIT ?)", []any{at, pruneStep}, &end)
		if err != nil || end == nil {
			return true, err
		}
		n, err := t.change(query, at, *end, day)
		if n > 0 {
			t.w.cache.forget()
		}
		at = *end
		return false, err
	})
}

// usageFrom is the day before which usage was deleted. An earlier call may have
// been cut short, and what came late may have been booked there since.
func (w *Writer) usageFrom(ctx context.Context) (day int64, err error) {
	err = w.do(ctx, func(t *txn) error {
		_, err := t.get("SELECT value FROM t_meta WHERE key = 'usage_from'", nil, &day)
		return err
	})
	return day, err
}

// pruneUsage deletes usage, history and losses of the days before one, and says
// whether there were any.
func (w *Writer) pruneUsage(ctx context.Context, before int64) (changed bool, err error) {
	err = w.repeat(ctx, func(t *txn) (bool, error) {
		n, err := t.deleteUsage(before)
		changed = changed || n > 0
		return n == 0, err
	})
	if err != nil || !changed {
		return false, err
	}
	return true, w.pruneNames(ctx, before)
}

// deleteUsage deletes a part of the oldest day before one. History and totals go
// with the last part.
func (t *txn) deleteUsage(before int64) (int64, error) {
	var day *int64
	if _, err := t.get("SELECT min(day) FROM (SELECT min(day) AS day FROM t_usage UNION ALL SELECT min(day) FROM t_history)", nil, &day); err != nil {
		return 0, err
	}
	if day == nil || *day >= before {
		return t.change("DELETE FROM t_loss WHERE id IN (SELECT id FROM t_loss WHERE done < ?1 OR done IS NULL AND ifnull(begin, 0) < ?1 LIMIT ?2)", before*microsADay, pruneStep)
	}
	if err := t.setMeta("usage_from", *day+1); err != nil {
		return 0, err
	}
	n, err := t.change(`DELETE FROM t_usage WHERE day = ?1 AND (host, step, user, identity) IN
		(SELECT host, step, user, identity FROM t_usage WHERE day = ?1 LIMIT ?2)`, *day, pruneStep)
	if err != nil || n == pruneStep {
		return n, err
	}
	// By program, as it is sorted: those that are gone have nothing here.
	m, err := t.change(`DELETE FROM t_used WHERE (identity, day, job, user) IN
		(SELECT g.identity, g.day, g.job, g.user FROM t_identity i CROSS JOIN t_used g ON g.identity = i.id AND g.day <= ?1 LIMIT ?2)`, *day, pruneStep)
	if err != nil || m == pruneStep {
		return m, err
	}
	t.w.cache.counted.clear()
	for _, table := range []string{"t_history", "t_total"} {
		of, err := t.change("DELETE FROM "+table+" WHERE day = ?", *day)
		if err != nil {
			return 0, err
		}
		m += of
	}
	return n + m, nil
}

// pruneNames deletes the jobs, programs and other names that nothing refers to.
func (w *Writer) pruneNames(ctx context.Context, day int64) error {
	oldest := maxStart // of the runs that have ended; they may be kept longer than usage
	if err := w.do(ctx, func(t *txn) error {
		_, err := t.get("SELECT id FROM t_run WHERE flags & 1 = 0 ORDER BY id LIMIT 1", nil, &oldest)
		return err
	}); err != nil {
		return err
	}
	day = min(day, dayOf(oldest))
	for _, p := range []struct{ table, query string }{
		{"t_step", `DELETE FROM t_step WHERE id > ?1 AND id <= ?2 AND ?3
			AND NOT EXISTS (SELECT 1 FROM t_usage WHERE step = t_step.id)
			AND NOT EXISTS (SELECT 1 FROM t_run WHERE step = t_step.id)`},
		{"t_job", `DELETE FROM t_job WHERE id > ?1 AND id <= ?2 AND NOT EXISTS (SELECT 1 FROM t_step WHERE job = t_job.id)
			AND NOT EXISTS (SELECT 1 FROM t_job_host WHERE job = t_job.id AND ifnull(done, begin) / 86400000000 >= ?3)
			AND NOT EXISTS (SELECT 1 FROM t_allocation WHERE job = t_job.id AND coalesce(done, begin, submit) / 86400000000 >= ?3)`},
		{"t_identity", `DELETE FROM t_identity WHERE id > ?1 AND id <= ?2 AND day < ?3 - 7 -- usedDays
			AND NOT EXISTS (SELECT 1 FROM t_used WHERE identity = t_identity.id)
			AND id NOT IN (SELECT identity FROM t_run WHERE flags & 1 AND id < ?3 * 86400000000)`},
		{"t_app", `DELETE FROM t_app WHERE id > ?1 AND id <= ?2 AND ?3
			AND id NOT IN (SELECT app FROM t_identity) AND id NOT IN (SELECT app FROM t_history)`},
		{"t_charge", `DELETE FROM t_charge WHERE id > ?1 AND id <= ?2 AND ?3
			AND id NOT IN (SELECT charge FROM t_job) AND id NOT IN (SELECT charge FROM t_history)`},
	} {
		if err := w.walk(ctx, p.table, p.query, day); err != nil {
			return fmt.Errorf("pruning %s: %w", p.table, err)
		}
	}
	return w.do(ctx, func(t *txn) error {
		for _, table := range []string{"t_job_host", "t_allocation"} {
			if err := t.exec("DELETE FROM " + table + " WHERE job NOT IN (SELECT id FROM t_job)"); err != nil {
				return err
			}
		}
		return nil
	})
}

// vacuum gives free pages back to the file system, some at a time, and then
// empties the write-ahead log into the file as far as readers let it.
func (w *Writer) vacuum(ctx context.Context) error {
	free := int64(-1)
	err := w.repeat(ctx, func(t *txn) (bool, error) {
		before := free
		if _, err := t.get("SELECT freelist_count FROM pragma_freelist_count", nil, &free); err != nil || free == 0 || free == before {
			return true, err
		}
		// The pragma frees a page a row: it must be read to its end.
		return false, t.each("PRAGMA incremental_vacuum(256)", nil, func(func(...any) error) error { return nil })
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return nil
	}
	_, err = w.conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)")
	if err != nil {
		return explain(w.opts.Path, err)
	}
	return nil
}
