package index

import (
	"context"
	"database/sql"
	"time"

	"procmon"
)

// JobShare sums up what is recorded of a job on this host. A job of which
// nothing is recorded has a share of nothing and no error.
func (w *Writer) JobShare(ctx context.Context, key procmon.JobKey) (procmon.JobSummary, error) {
	s := procmon.JobSummary{Job: procmon.Job{Cluster: key.Cluster, RawID: key.RawID, Restart: key.Restart}}
	err := w.do(ctx, func(t *txn) error {
		host, err := t.host(w.opts.Host)
		if err != nil {
			return err
		}
		row, err := t.jobByKey(key, host)
		if row == nil || err != nil {
			return err
		}
		s.Job = row.job
		var cpus, gpus, begin, done sql.NullInt64
		if _, err := t.get("SELECT cpus, gpus, begin, done FROM t_job_host WHERE job = ? AND host = ?", []any{row.id, host},
			&cpus, &gpus, &begin, &done); err != nil {
			return err
		}
		s.CPUs, s.GPUs = int(cpus.Int64), int(gpus.Int64)
		s.Start, s.End = timeOf(begin), timeOf(done)
		if err := t.shares(row.id, host, &s); err != nil {
			return err
		}
		return t.exits(row.id, host, &s)
	})
	return s, err
}

// jobByKey finds a job as its key names it; one known by its SLUID only is
// keyed by that. What a user only
// claims to be of the job is left out.
func (t *txn) jobByKey(key procmon.JobKey, host int64) (*jobRow, error) {
	return t.jobWhere(`claim = -1 AND (raw_id = ?1 AND restart = ?2 OR sluid = ?1 AND raw_id IS NULL) AND (?3 = '' OR cluster IS NULL OR cluster = ?3)
		ORDER BY ifnull(cluster, '') = ?3 DESC, EXISTS (SELECT 1 FROM t_job_host WHERE job = id AND host = ?4) DESC, id DESC LIMIT 1`,
		clean(key.RawID), key.Restart, clean(key.Cluster), host)
}

func (t *txn) shares(job, host int64, s *procmon.JobSummary) error {
	return t.each(`SELECT a.name, a.version, a.kind, i.package, max(i.rules), sum(g.runs), sum(g.failed), sum(g.user_us), sum(g.sys_us),
			max(g.rss), sum(g.read), sum(g.write)
		FROM t_step s JOIN t_usage g ON g.step = s.id JOIN t_identity i ON i.id = g.identity JOIN t_app a ON a.id = i.app
		WHERE s.job = ? AND g.host = ?
		GROUP BY a.id, i.package ORDER BY sum(g.user_us) + sum(g.sys_us) DESC, sum(g.runs) DESC, a.id, i.package`,
		[]any{job, host}, func(scan func(...any) error) error {
			var name, version, kind, pkg, rules sql.NullString
			var runs, failed, user, sys, rss, read, write int64
			if err := scan(&name, &version, &kind, &pkg, &rules, &runs, &failed, &user, &sys, &rss, &read, &write); err != nil {
				return err
			}
			a := procmon.AppShare{
				Application: procmon.Application{Name: name.String, Version: version.String, Kind: procmon.AppKind(kind.String),
					Package: pkg.String, Rules: rules.String},
				Runs: uint64(runs), Failed: uint64(failed),
				Usage: procmon.Usage{
					User: time.Duration(user) * time.Microsecond, System: time.Duration(sys) * time.Microsecond,
					Read: uint64(read), Write: uint64(write),
				},
			}
			a.Usage.Add(maxRSS(rss))
			s.Applications = append(s.Applications, a)
			s.Runs += a.Runs
			s.Failed += a.Failed
			s.Usage.Add(a.Usage)
			return nil
		})
}

// exits counts how the runs of a job ended, as far as they are still kept one
// by one.
func (t *txn) exits(job, host int64, s *procmon.JobSummary) error {
	return t.each(`SELECT r.exit, count(*) FROM t_step s JOIN t_run r ON r.step = s.id
		WHERE s.job = ? AND r.host = ? AND r.exit IS NOT NULL
		GROUP BY r.exit ORDER BY count(*) DESC, r.exit LIMIT ?`,
		[]any{job, host, procmon.MaxExits}, func(scan func(...any) error) error {
			var exit, runs int64
			if err := scan(&exit, &runs); err != nil {
				return err
			}
			s.Exits = append(s.Exits, procmon.ExitShare{Exit: exitFrom(exit), Runs: uint64(runs)})
			return nil
		})
}
