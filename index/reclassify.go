package index

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"time"

	"procmon"
)

// Reclassify names the programs of an index again.
type Reclassify struct {
	// Name says what a program is of which the path and the answer that it once
	// got are recorded. It must be a function of these alone: what it gives is
	// to stay the same when it is asked again.
	Name     func(exe string, was procmon.Application) procmon.Application
	Since    time.Time                          // only programs used on this UTC day or later, and some of the week before; zero: all
	Progress func(step string, done, all int64) // nil: nobody looks
}

// Reclassified says what became of the programs of an index.
type Reclassified struct {
	Programs int64    // different ones that were looked at
	Changed  int64    // those whose answer is another one now
	Done     int64    // those of them that were stored; fewer after an error
	Skipped  int64    // those that somebody else changed or pruned meanwhile
	Changes  []Change // the most CPU time first
}

// Change is what one answer becomes for some programs.
type Change struct {
	From, To procmon.Application // name, version and kind only
	Programs int64
	Runs     int64         // in daily sums, also where single runs were pruned
	CPU      time.Duration // likewise
}

// Renamed says whether people see another name, version or kind. Else better
// evidence says the same.
func (c *Change) Renamed() bool { return c.From != c.To }

// The steps that Progress tells of, in their order.
const (
	stepName  = "naming programs"
	stepSum   = "adding up days"
	stepStore = "storing programs"
	stepCheck = "checking days"
)

// namedAtOnce is how many programs are read, or changed, at a time.
const namedAtOnce = 256

// partsAtOnce is how many sums of renamed programs a transaction takes. Each
// makes the sums of others that share a day, user and charge too, so that fewer
// at once cost more in all.
const partsAtOnce = 8 * pruneStep

// Reclassify names programs again and rebuilds history to agree, in many short
// transactions between which the Writer writes; after each of them all tables
// agree. When it ends early, what was done stays, and the next call goes on:
// the result then says how far it came.
//
// The plan is made beside the transactions, in temporary tables (SQLITE_TMPDIR
// says where they lie, when they are large): see rebook.go.
func (i *Importer) Reclassify(ctx context.Context, o Reclassify) (Reclassified, error) {
	r := &reclassifying{w: i.w, options: o}
	i.w.mu.Lock()
	err := r.plan(ctx)
	i.w.mu.Unlock()
	if err == nil && r.result.Changed > 0 {
		err = r.store(ctx)
	}
	return r.result, ended(ctx, err)
}

// PlanReclassify says what Reclassify would change, and changes nothing: it asks
// for no more rights than a Reader, and has its errors.
func PlanReclassify(ctx context.Context, path string, o Reclassify) (Reclassified, error) {
	if err := readable(path); err != nil {
		return Reclassified{}, err
	}
	w, err := openBeside(ctx, path, url.Values{"mode": {"ro"}, "_busy_timeout": {"5000"}})
	if err != nil {
		return Reclassified{}, err
	}
	r := &reclassifying{w: w, options: o}
	err = ended(ctx, r.plan(ctx))
	return r.result, errors.Join(err, w.Close())
}

// ended is why a call ended: SQLite has other words for a context's end.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// reclassifying is one call of Reclassify.
type reclassifying struct {
	w       *Writer
	options Reclassify
	result  Reclassified
	days    []int64 // that have usage, when the plan was made
	recent  int64   // from this day on usage may have grown since
}

func (r *reclassifying) explain(err error) error {
	if err == nil {
		return nil
	}
	return explain(r.w.opts.Path, err)
}

func (r *reclassifying) tell(step string, done, all int64) {
	if r.options.Progress != nil {
		r.options.Progress(step, done, all)
	}
}

// plan fills t_renamed with the answers that change, and t_part with the sums
// concerned.
func (r *reclassifying) plan(ctx context.Context) error { return r.explain(r.fill(ctx)) }

func (r *reclassifying) fill(ctx context.Context) error {
	if _, err := r.w.conn.ExecContext(ctx, planTables); err != nil {
		return err
	}
	day := int64(0)
	if !r.options.Since.IsZero() {
		day = dayOf(r.options.Since.UnixMicro()) - usedDays
	}
	var all int64
	if err := r.w.conn.QueryRowContext(ctx, "SELECT count(*) FROM t_identity WHERE day >= ?", day).Scan(&all); err != nil {
		return err
	}
	for at := int64(0); ; {
		batch, err := r.read(ctx, at, day)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			break
		}
		for n := range batch {
			if err := r.name(ctx, &batch[n]); err != nil {
				return err
			}
		}
		at = batch[len(batch)-1].id
		r.tell(stepName, r.result.Programs, all)
	}
	if r.result.Changed == 0 {
		return nil
	}
	if err := r.sum(ctx); err != nil {
		return err
	}
	return r.changes(ctx)
}

// identityRow is a program as it is recorded.
type identityRow struct {
	id, app int64
	exe     string
	was     procmon.Application
}

// read gives the programs after one, by their ids.
func (r *reclassifying) read(ctx context.Context, after, day int64) ([]identityRow, error) {
	rows, err := r.w.conn.QueryContext(ctx, `SELECT i.id, i.app, ifnull(i.exe, ''), ifnull(i.script, ''), ifnull(i.package, ''),
		ifnull(i.evidence, ''), ifnull(i.image, ''), ifnull(i.rules, ''), ifnull(a.name, ''), ifnull(a.version, ''), a.kind
		FROM t_identity i JOIN t_app a ON a.id = i.app WHERE i.id > ? AND i.day >= ? ORDER BY i.id LIMIT ?`, after, day, namedAtOnce)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var batch []identityRow
	for rows.Next() {
		var n identityRow
		w := &n.was
		if err := rows.Scan(&n.id, &n.app, &n.exe, &w.Script, &w.Package, &w.Evidence, &w.Image, &w.Rules, &w.Name, &w.Version, (*string)(&w.Kind)); err != nil {
			return nil, err
		}
		batch = append(batch, n)
	}
	return batch, rows.Err()
}

// name asks for one program's answer, and notes it when it is another one.
func (r *reclassifying) name(ctx context.Context, n *identityRow) error {
	r.result.Programs++
	now := r.options.Name(n.exe, n.was)
	if now.Kind == "" {
		now.Kind = procmon.KindUnknown
	}
	now.Name, now.Version, now.Kind = clean(now.Name), clean(now.Version), procmon.AppKind(clean(string(now.Kind)))
	now.Package, now.Evidence, now.Rules = clean(now.Package), clean(now.Evidence), clean(now.Rules)
	same := now
	same.Rules, same.Script, same.Image = n.was.Rules, n.was.Script, n.was.Image // these say nothing of what it was
	if same == n.was {
		return nil
	}
	r.result.Changed++
	_, err := r.w.conn.ExecContext(ctx, `INSERT INTO temp.t_renamed (identity, was, name, version, kind, package, evidence, rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		n.id, n.app, known(now.Name), known(now.Version), string(now.Kind), known(now.Package), known(now.Evidence), known(now.Rules))
	return err
}

// changes adds the plan up.
func (r *reclassifying) changes(ctx context.Context) error {
	rows, err := r.w.conn.QueryContext(ctx, `SELECT ifnull(a.name, ''), ifnull(a.version, ''), a.kind, ifnull(n.name, ''), ifnull(n.version, ''), n.kind,
		count(*), ifnull(sum(p.runs), 0), ifnull(sum(p.cpu), 0)
		FROM temp.t_renamed n JOIN t_app a ON a.id = n.was
		LEFT JOIN (SELECT identity, sum(runs) AS runs, sum(user_us + sys_us) AS cpu FROM temp.t_part GROUP BY identity) p ON p.identity = n.identity
		GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 9 DESC, 8 DESC, 1, 2, 3, 4, 5, 6`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c Change
		var cpu int64
		if err := rows.Scan(&c.From.Name, &c.From.Version, (*string)(&c.From.Kind), &c.To.Name, &c.To.Version, (*string)(&c.To.Kind),
			&c.Programs, &c.Runs, &cpu); err != nil {
			return err
		}
		c.CPU = time.Duration(cpu) * time.Microsecond
		r.result.Changes = append(r.result.Changes, c)
	}
	return rows.Err()
}

// store makes the plan true, some programs a transaction, and then looks whether
// somebody wrote to days of old meanwhile.
func (r *reclassifying) store(ctx context.Context) error {
	for at := int64(0); ; {
		end, err := r.next(ctx, at)
		if err != nil {
			return r.explain(err)
		}
		if end == at {
			break
		}
		began := time.Now()
		var done, skipped int64
		if err := r.w.do(ctx, func(t *txn) (err error) {
			done, skipped, err = t.reclassify(at, end, r.recent)
			return err
		}); err != nil {
			return err
		}
		at = end
		r.result.Done += done
		r.result.Skipped += skipped
		r.tell(stepStore, r.result.Done+r.result.Skipped, r.result.Changed)
		if err := rest(ctx, time.Since(began)); err != nil { // the daemon has its turn
			return err
		}
	}
	return r.check(ctx)
}

// next is the last program of the next transaction: of those after one, as
// many as have about partsAtOnce sums together.
func (r *reclassifying) next(ctx context.Context, after int64) (int64, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	rows, err := r.w.conn.QueryContext(ctx, `SELECT n.identity, (SELECT count(*) FROM temp.t_part p WHERE p.identity = n.identity)
		FROM temp.t_renamed n WHERE n.identity > ? ORDER BY n.identity LIMIT ?`, after, 16*namedAtOnce)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for weight := int64(0); weight < partsAtOnce && rows.Next(); {
		var parts int64
		if err := rows.Scan(&after, &parts); err != nil {
			return 0, err
		}
		weight += parts
	}
	return after, rows.Err()
}

// rest waits, or not any more.
func rest(ctx context.Context, span time.Duration) error {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// number asks for one number; NULL is 0.
func (r *reclassifying) number(ctx context.Context, query string, args ...any) (int64, error) {
	var n sql.NullInt64
	err := r.w.conn.QueryRowContext(ctx, query, args...).Scan(&n)
	return n.Int64, err
}
