package index

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"hash/crc32"
	"time"

	"procmon"
)

// metaKnown begins the key in t_meta of what SaveLive knew, by host.
const metaKnown = "known/"

// liveKey names an open run.
type liveKey struct {
	boot string
	run  procmon.RunID
}

func liveKeyOf(boot string, p *procmon.Process) liveKey {
	return liveKey{cmp.Or(p.Boot, boot), p.Run}
}

func (k liveKey) text() string { return procmon.EntityID(k.boot, k.run) }

// liveState is the row of an open run in t_run, 0 when it has none yet, and a
// checksum of its body, which most often is the same a minute later.
type liveState struct {
	run int64
	sum uint32
}

// loadLive reads which runs are open. Rows that cannot be read go.
func (t *txn) loadLive() error {
	live := make(map[liveKey]liveState)
	var bad [][2]string
	err := t.each("SELECT boot, key, ifnull(run, 0), body FROM t_live", nil, func(scan func(...any) error) error {
		var boot, key string
		var body []byte
		var run int64
		if err := scan(&boot, &key, &run, &body); err != nil {
			return err
		}
		l, err := decodeLive(body)
		if err != nil {
			bad = append(bad, [2]string{boot, key})
			return nil
		}
		live[liveKey{boot, l.Run.Process.Run}] = liveState{run, crc32.ChecksumIEEE(body)}
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range bad {
		t.w.opts.Logger.Warn("index: an open run cannot be read and is forgotten", "entity", b[1])
		if err := t.exec("DELETE FROM t_live WHERE boot = ? AND key = ?", b[0], b[1]); err != nil {
			return err
		}
	}
	t.w.cache.live = live
	return nil
}

func decodeLive(body []byte) (procmon.LiveRun, error) {
	var l procmon.LiveRun
	if err := json.Unmarshal(body, &l); err != nil {
		return l, err
	}
	if l.Run.Process == nil {
		return l, &refusal{"an open run without a process"}
	}
	return l, nil
}

func (t *txn) putLive(key liveKey, run int64, l *procmon.LiveRun) error {
	body, err := json.Marshal(l)
	if err != nil {
		return &refusal{"an open run that is no JSON: " + err.Error()}
	}
	state := liveState{run, crc32.ChecksumIEEE(body)}
	if t.w.cache.live[key] == state {
		return nil
	}
	var row any
	if run != 0 {
		row = run
	}
	err = t.exec("INSERT OR REPLACE INTO t_live (boot, key, run, body) VALUES (?, ?, ?, ?)", key.boot, key.text(), row, string(body))
	if err == nil {
		t.w.cache.live[key] = state
	}
	return err
}

// keepLive remembers that a run goes on. What is known of its processes by
// SaveLive stays.
func (t *txn) keepLive(key liveKey, r *procmon.Record, row *runRow) error {
	state, ok := t.w.cache.live[key]
	if ok && state.run == row.id {
		return nil
	}
	if ok {
		err := t.exec("UPDATE t_live SET run = ? WHERE boot = ? AND key = ?", row.id, key.boot, key.text())
		if err == nil {
			t.w.cache.live[key] = liveState{row.id, state.sum}
		}
		return err
	}
	p := r.Run.Process
	return t.putLive(key, row.id, &procmon.LiveRun{Run: *r.Run, Owned: []procmon.Owned{{ID: p.Run.Process, Since: p.Before}}})
}

func (t *txn) dropLive(key liveKey) error {
	if _, ok := t.w.cache.live[key]; !ok {
		return nil
	}
	err := t.exec("DELETE FROM t_live WHERE boot = ? AND key = ?", key.boot, key.text())
	if err == nil {
		delete(t.w.cache.live, key)
	}
	return err
}

// SaveLive replaces what is kept of this boot's open runs. A run that Write
// has begun and not ended stays even when it is not among them, and one that
// Write has ended does not come back: its record may be on its way, or have
// been faster. Known is the time up to which all that happened is in runs or in
// records that were written; LastSeen gives it back.
func (w *Writer) SaveLive(ctx context.Context, runs []procmon.LiveRun, known time.Time) error {
	return w.do(ctx, func(t *txn) error {
		if err := t.setMeta(metaKnown+clean(w.opts.Host), known.UnixMicro()); err != nil {
			return err
		}
		kept := make(map[liveKey]bool, len(runs))
		for i := range runs {
			if runs[i].Run.Process == nil {
				continue
			}
			key := liveKeyOf(w.opts.Boot, runs[i].Run.Process)
			row, ended, err := t.liveRow(key, &runs[i].Run)
			if err != nil {
				return err
			}
			if ended {
				continue
			}
			kept[key] = true
			if err := t.putLive(key, row, &runs[i]); err != nil {
				return err
			}
		}
		for key, state := range t.w.cache.live {
			if key.boot == w.opts.Boot && state.run == 0 && !kept[key] {
				if err := t.dropLive(key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// liveRow finds the row of an open run, 0 when it has none yet.
func (t *txn) liveRow(key liveKey, run *procmon.Run) (row int64, ended bool, err error) {
	if row = t.w.cache.live[key].run; row != 0 {
		return row, false, nil
	}
	host, err := t.host(t.w.opts.Host)
	if err != nil {
		return 0, false, err
	}
	r, err := t.probe(run.Start.UnixMicro(), host, key.run.Process.PID)
	if r == nil || err != nil {
		return 0, false, err
	}
	return r.id, r.flags&flagOpen == 0, nil
}

// Live gives the open runs, those of this boot apart from those of others: the
// latter have ended unseen.
func (w *Writer) Live(ctx context.Context) (thisBoot, otherBoot []procmon.LiveRun, err error) {
	err = w.do(ctx, func(t *txn) error {
		return t.each(`SELECT l.boot, l.body, l.run IS NOT NULL, r.elapsed, r.user_us, r.sys_us, r.rss, r.read, r.write
			FROM t_live l LEFT JOIN t_run r ON r.id = l.run ORDER BY l.boot, l.key`, nil, func(scan func(...any) error) error {
			var boot string
			var body []byte
			var begun bool
			var told [6]sql.NullInt64
			if err := scan(&boot, &body, &begun, &told[0], &told[1], &told[2], &told[3], &told[4], &told[5]); err != nil {
				return err
			}
			l, err := decodeLive(body)
			raiseLive(&l, told)
			l.Silent = l.Silent && !begun // a start record may be younger than what was saved
			switch {
			case err != nil: // loadLive has said so
			case boot == w.opts.Boot:
				thisBoot = append(thisBoot, l)
			default:
				otherBoot = append(otherBoot, l)
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	return thisBoot, otherBoot, nil
}

// raiseLive raises what was saved of a run to what its row has of the last
// checkpoint, which may be younger: elapsed, user, system, RSS, read, write.
func raiseLive(l *procmon.LiveRun, told [6]sql.NullInt64) {
	const us = time.Microsecond
	if at := l.Run.Start.Add(time.Duration(told[0].Int64) * us); told[0].Valid && l.Told.Before(at) {
		l.Told = at
	}
	if !told[1].Valid {
		return
	}
	var u procmon.Usage
	if l.Run.Usage != nil {
		u = *l.Run.Usage
	}
	u.User = max(u.User, time.Duration(told[1].Int64)*us)
	u.System = max(u.System, time.Duration(told[2].Int64)*us)
	u.Add(maxRSS(told[3].Int64))
	u.Read = max(u.Read, uint64(told[4].Int64))
	u.Write = max(u.Write, uint64(told[5].Int64))
	l.Run.Usage = &u
}
