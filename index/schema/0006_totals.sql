-- A text is found in memory only: the index that found it in the table was
-- written at random places, which cost more than texts that are there twice.
DROP INDEX t_command_hash;
ALTER TABLE t_command DROP COLUMN hash;

-- History over all users and charges: what a question that names neither needs.
CREATE TABLE t_total (
  day     INTEGER NOT NULL,
  app     INTEGER NOT NULL,
  runs    INTEGER NOT NULL,
  failed  INTEGER NOT NULL,
  elapsed INTEGER NOT NULL,
  user_us INTEGER NOT NULL,
  sys_us  INTEGER NOT NULL,
  rss     INTEGER NOT NULL,
  read    INTEGER NOT NULL,
  write   INTEGER NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  PRIMARY KEY (day, app)
) WITHOUT ROWID;
INSERT INTO t_total
SELECT day, app, sum(runs), sum(failed), sum(elapsed), sum(user_us), sum(sys_us), max(rss), sum(read), sum(write), min(first), max(last)
FROM t_history GROUP BY day, app;

-- Which jobs and users used a program on a day: usage without its sums, in the
-- order in which they are counted.
CREATE TABLE t_used (
  identity INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  job      INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  PRIMARY KEY (identity, day, job, user)
) WITHOUT ROWID;
INSERT INTO t_used
SELECT DISTINCT g.identity, g.day, s.job, g.user FROM t_usage g JOIN t_step s ON s.id = g.step ORDER BY 1, 2, 3, 4;
CREATE INDEX t_identity_app ON t_identity (app);

-- Rows that are no job of their own: later lives, and jobs that are only claimed.
CREATE INDEX t_job_again ON t_job (id) WHERE restart > 0 OR claim <> -1;
