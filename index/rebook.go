package index

import "context"

// When a program gets another name, history changes on all days it was used,
// and usage has no index by program: finding these days means to read all of
// usage, which is too much for a transaction that the Writer waits for. So it
// is read before, day by day, into t_part: usage by (day, user, charge) and
// program, of those (day, user, charge) in which a renamed program is. The
// transaction that renames then makes history of them from t_part, where it
// still adds up to the same; other days, and the newest two, which the Writer
// adds to, it makes from usage.
const planTables = `
	DROP TABLE IF EXISTS temp.t_renamed;
	DROP TABLE IF EXISTS temp.t_part;
	DROP TABLE IF EXISTS temp.t_key;
	CREATE TEMP TABLE t_renamed (
		identity INTEGER PRIMARY KEY,
		was INTEGER NOT NULL, -- t_app.id
		name TEXT, version TEXT, kind TEXT NOT NULL, package TEXT, evidence TEXT, rules TEXT
	);
	CREATE TEMP TABLE t_part (
		day INTEGER, user INTEGER, charge INTEGER, identity INTEGER, runs INTEGER, failed INTEGER, elapsed INTEGER,
		user_us INTEGER, sys_us INTEGER, rss INTEGER, read INTEGER, write INTEGER, first INTEGER, last INTEGER,
		PRIMARY KEY (day, user, charge, identity)
	) WITHOUT ROWID;
	CREATE INDEX temp.t_part_identity ON t_part (identity);
	CREATE TEMP TABLE t_key (day INTEGER, user INTEGER, charge INTEGER, PRIMARY KEY (day, user, charge)) WITHOUT ROWID;`

// together is what sums of several rows are.
const together = `sum(runs) AS runs, sum(failed) AS failed, sum(elapsed) AS elapsed, sum(user_us) AS user_us, sum(sys_us) AS sys_us,
	max(rss) AS rss, sum(read) AS read, sum(write) AS write, min(first) AS first, max(last) AS last`

const fillParts = `
	WITH u AS MATERIALIZED (
		SELECT g.user, j.charge, g.identity, ` + together + `
		FROM t_usage g JOIN t_step s ON s.id = g.step JOIN t_job j ON j.id = s.job
		WHERE g.day = ?1 GROUP BY 1, 2, 3),
	k AS MATERIALIZED (SELECT DISTINCT user, charge FROM u WHERE identity IN (SELECT identity FROM temp.t_renamed))
	INSERT INTO temp.t_part SELECT ?1, u.* FROM u CROSS JOIN k ON k.user = u.user AND k.charge = u.charge`

// historyOf is what the history of a day should be.
const historyOf = `SELECT g.day, g.user, j.charge, i.app, ` + together + `
	FROM t_usage g JOIN t_step s ON s.id = g.step JOIN t_job j ON j.id = s.job JOIN t_identity i ON i.id = g.identity
	WHERE g.day = ?1 GROUP BY 1, 2, 3, 4`

const historyHas = `SELECT day, user, charge, app, ` + sumColumns + ` FROM t_history WHERE day = ?1`

// sum fills t_part, a day at a time.
func (r *reclassifying) sum(ctx context.Context) error {
	from, err := r.number(ctx, "SELECT (SELECT value FROM t_meta WHERE key = 'usage_from')")
	if err != nil {
		return err
	}
	for day := from - 1; ; {
		next, err := r.number(ctx, "SELECT min(day) FROM t_usage WHERE day > ?", day)
		if err != nil {
			return err
		}
		if next <= day {
			break
		}
		day = next
		r.days = append(r.days, day)
	}
	for n, day := range r.days {
		if _, err := r.w.conn.ExecContext(ctx, fillParts, day); err != nil {
			return err
		}
		r.recent = day - 1
		r.tell(stepSum, int64(n+1), int64(len(r.days)))
	}
	return nil
}

// check makes history of those days anew in which it is not what usage says.
// Only somebody who books to days of old meanwhile, such as an import, can be
// the reason.
func (r *reclassifying) check(ctx context.Context) error {
	for n, day := range r.days {
		r.w.mu.Lock()
		wrong, err := r.number(ctx, `SELECT EXISTS (SELECT * FROM (`+historyOf+` EXCEPT `+historyHas+`)) OR
			EXISTS (SELECT * FROM (`+historyHas+` EXCEPT `+historyOf+`))`, day)
		r.w.mu.Unlock()
		err = r.explain(err)
		if err == nil && wrong != 0 {
			err = r.w.do(ctx, func(t *txn) error { return t.resumDay(day) })
		}
		if err != nil {
			return err
		}
		r.tell(stepCheck, int64(n+1), int64(len(r.days)))
	}
	return nil
}

// reclassify gives the programs after one id, up to another, their new answers,
// and makes history agree.
func (t *txn) reclassify(after, end, recent int64) (done, skipped int64, err error) {
	var batch []renamedRow
	err = t.each(`SELECT n.identity, n.was, n.name, n.version, n.kind, n.package, n.evidence, n.rules, i.exe, i.script, i.image
		FROM temp.t_renamed n LEFT JOIN t_identity i ON i.id = n.identity WHERE n.identity > ? AND n.identity <= ?`,
		[]any{after, end}, func(scan func(...any) error) error {
			var n renamedRow
			err := scan(&n.id, &n.was, &n.name, &n.version, &n.kind, &n.pkg, &n.evidence, &n.rules, &n.exe, &n.script, &n.image)
			batch = append(batch, n)
			return err
		})
	if err != nil {
		return 0, 0, err
	}
	for i := range batch {
		n, err := t.rename(&batch[i])
		if err != nil {
			return 0, 0, err
		}
		done += n
	}
	t.w.cache.forget() // what it knows of programs is of old
	return done, int64(len(batch)) - done, t.rebook(after, end, recent)
}

// renamedRow is a row of t_renamed with what stays of the program's own.
type renamedRow struct {
	id, was            int64
	kind               string
	name, version      *string
	pkg, evidence      *string
	rules              *string
	exe, script, image *string
}

// rename changes one program's answer, unless it is no longer the one that
// the plan speaks of.
func (t *txn) rename(n *renamedRow) (int64, error) {
	app, err := t.app(appKey{text(n.name), text(n.version), n.kind})
	if err != nil {
		return 0, err
	}
	row := []any{app, column(n.exe), column(n.script), column(n.pkg), column(n.evidence), column(n.image), column(n.rules)}
	return t.change(`UPDATE t_identity SET app = ?, package = ?, evidence = ?, rules = ?, hash = ? WHERE id = ? AND app = ?`,
		app, row[3], row[4], row[6], hashOf(row), n.id, n.was)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func column(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// rebook makes history of all that renamed programs had a part in.
func (t *txn) rebook(after, end, recent int64) error {
	if err := t.exec("DELETE FROM temp.t_key"); err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO temp.t_key SELECT DISTINCT day, user, charge FROM temp.t_part WHERE identity IN
		(SELECT identity FROM temp.t_renamed WHERE identity > ? AND identity <= ?) AND day < ?`, after, end, recent); err != nil {
		return err
	}
	days, err := t.grown(recent)
	if err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM t_history WHERE (day, user, charge) IN (SELECT day, user, charge FROM temp.t_key)",
		`INSERT INTO t_history (day, user, charge, app, ` + sumColumns + `)
			SELECT p.day, p.user, p.charge, i.app, ` + together + ` FROM temp.t_key k
			JOIN temp.t_part p ON p.day = k.day AND p.user = k.user AND p.charge = k.charge
			JOIN t_identity i ON i.id = p.identity GROUP BY 1, 2, 3, 4`,
	} {
		if err := t.exec(query); err != nil {
			return err
		}
	}
	const concerned = ` day IN (SELECT day FROM temp.t_key) AND app IN (SELECT was FROM temp.t_renamed WHERE identity > ?1 AND identity <= ?2
		UNION SELECT app FROM t_identity WHERE id > ?1 AND id <= ?2 AND id IN (SELECT identity FROM temp.t_renamed))`
	for _, query := range []string{
		"DELETE FROM t_total WHERE" + concerned,
		"INSERT INTO t_total (day, app, " + sumColumns + ") SELECT day, app, " + together + " FROM t_history WHERE" + concerned + " GROUP BY 1, 2",
	} {
		if err := t.exec(query, after, end); err != nil {
			return err
		}
	}
	for _, day := range days {
		if err := t.resumDay(day); err != nil {
			return err
		}
	}
	return nil
}

// grown takes the days out of t_key that were booked to since t_part was
// filled, and gives them, together with the recent ones.
func (t *txn) grown(recent int64) ([]int64, error) {
	var days []int64
	list := func(scan func(...any) error) error {
		var day int64
		err := scan(&day)
		days = append(days, day)
		return err
	}
	const of = ` USING (day, user, charge) GROUP BY 1, 2, 3`
	err := t.each(`SELECT DISTINCT day FROM (
		SELECT day, user, charge, `+together+` FROM temp.t_key JOIN temp.t_part`+of+`
		EXCEPT SELECT day, user, charge, `+together+` FROM temp.t_key JOIN t_history`+of+`)`, nil, list)
	if err != nil {
		return nil, err
	}
	for _, day := range days {
		if err := t.exec("DELETE FROM temp.t_key WHERE day = ?", day); err != nil {
			return nil, err
		}
	}
	return days, t.each("SELECT DISTINCT day FROM t_usage WHERE day >= ?", []any{recent}, list)
}

// resumDay makes history and totals of a day anew from usage, where there is any.
func (t *txn) resumDay(day int64) error {
	for _, query := range []string{
		"DELETE FROM t_history WHERE day = ?1 AND EXISTS (SELECT 1 FROM t_usage WHERE day = ?1)",
		"INSERT INTO t_history (day, user, charge, app, " + sumColumns + ") " + historyOf,
		"DELETE FROM t_total WHERE day = ?1",
		"INSERT INTO t_total (day, app, " + sumColumns + ") SELECT day, app, " + together + " FROM t_history WHERE day = ?1 GROUP BY 1, 2",
	} {
		if err := t.exec(query, day); err != nil {
			return err
		}
	}
	return nil
}
