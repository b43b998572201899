-- The first schema. Tables begin with t_ and change by migration; the views at
-- the end are what others may rely on. Row 0 of t_step, t_job and t_command
-- stands for "none", so that the views need no outer join and SQLite is free
-- to begin with whichever table a question narrows most.
--
-- Units: times and durations are µs (times since the epoch), sizes bytes, days
-- are days since the epoch in UTC; first and last are ms since their day began,
-- which takes half the room. NULL is "not known".

CREATE TABLE t_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE t_host (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  seen INTEGER                      -- newest time at which its writer surely ran
);

CREATE TABLE t_user (
  id   INTEGER PRIMARY KEY,
  uid  INTEGER,
  name TEXT
);
CREATE INDEX t_user_uid ON t_user (uid);

-- What history is kept by, of a job.
CREATE TABLE t_charge (
  id        INTEGER PRIMARY KEY,
  scheduler TEXT,
  cluster   TEXT,
  account   TEXT,
  partition TEXT
);

CREATE TABLE t_job (
  id         INTEGER PRIMARY KEY,
  scheduler  TEXT,
  cluster    TEXT,
  raw_id     TEXT,
  restart    INTEGER,
  sluid      TEXT,
  job_id     TEXT,
  array_job  TEXT,
  array_task TEXT,
  het_job    TEXT,
  het_offset TEXT,
  owner_uid  INTEGER,
  owner      TEXT,
  account    TEXT,
  partition  TEXT,
  name       TEXT,
  evidence   INTEGER NOT NULL,      -- four bits a field, in the order of procmon.JobField
  charge     INTEGER NOT NULL,
  claim      INTEGER NOT NULL DEFAULT -1 -- the uid on whose word alone it is this job; -1: it is proved
);
CREATE UNIQUE INDEX t_job_key ON t_job (raw_id, restart, ifnull(cluster, ''), claim) WHERE raw_id IS NOT NULL;
CREATE INDEX t_job_said ON t_job (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX t_job_sluid ON t_job (sluid) WHERE sluid IS NOT NULL;

-- A job's share of a host, as prolog and epilog told it.
CREATE TABLE t_job_host (
  job   INTEGER NOT NULL,
  host  INTEGER NOT NULL,
  cpus  INTEGER,
  gpus  INTEGER,
  begin INTEGER,
  done  INTEGER,
  PRIMARY KEY (job, host)
) WITHOUT ROWID;

CREATE TABLE t_step (
  id   INTEGER PRIMARY KEY,
  job  INTEGER NOT NULL,
  name TEXT
);
CREATE INDEX t_step_job ON t_step (job);

CREATE TABLE t_app (
  id      INTEGER PRIMARY KEY,
  name    TEXT,
  version TEXT,
  kind    TEXT NOT NULL
);
CREATE INDEX t_app_name ON t_app (name);

-- What was run. Better rules point a row at another application.
CREATE TABLE t_identity (
  id       INTEGER PRIMARY KEY,
  hash     INTEGER NOT NULL,
  day      INTEGER NOT NULL,        -- last used
  app      INTEGER NOT NULL,
  exe      TEXT,
  script   TEXT,
  package  TEXT,
  evidence TEXT,
  image    TEXT,
  rules    TEXT
);
CREATE INDEX t_identity_hash ON t_identity (hash);

CREATE TABLE t_command (
  id   INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,            -- 47 bits of SHA-256, moved up by one until free
  day  INTEGER NOT NULL,            -- last used
  text TEXT
);
CREATE UNIQUE INDEX t_command_hash ON t_command (hash);

-- id is the start, moved up by one until free.
CREATE TABLE t_run (
  id       INTEGER PRIMARY KEY,
  host     INTEGER NOT NULL,
  pid      INTEGER NOT NULL,
  ppid     INTEGER,
  parent   INTEGER,                 -- from the parent run's start to this one's
  step     INTEGER NOT NULL,
  task,
  user     INTEGER NOT NULL,
  euid     INTEGER,                 -- NULL: as uid
  identity INTEGER NOT NULL,
  command  INTEGER NOT NULL,
  elapsed  INTEGER,                 -- so far, while the run is open
  user_us  INTEGER,
  sys_us   INTEGER,
  rss      INTEGER,
  read     INTEGER,
  write    INTEGER,
  exit     INTEGER,                 -- code, or 256 + signal
  flags    INTEGER NOT NULL,        -- see runflags.go
  missing  INTEGER NOT NULL         -- procmon.Missing
);
CREATE INDEX t_run_step ON t_run (step);

CREATE TABLE t_usage (
  day      INTEGER NOT NULL,
  host     INTEGER NOT NULL,
  step     INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  identity INTEGER NOT NULL,
  runs     INTEGER NOT NULL,
  failed   INTEGER NOT NULL,
  elapsed  INTEGER NOT NULL,
  user_us  INTEGER NOT NULL,
  sys_us   INTEGER NOT NULL,
  rss      INTEGER NOT NULL,
  read     INTEGER NOT NULL,
  write    INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  PRIMARY KEY (day, host, step, user, identity)
) WITHOUT ROWID;
CREATE INDEX t_usage_step ON t_usage (step);

CREATE TABLE t_history (
  day     INTEGER NOT NULL,
  user    INTEGER NOT NULL,
  charge  INTEGER NOT NULL,
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
  PRIMARY KEY (day, user, charge, app)
) WITHOUT ROWID;

CREATE TABLE t_loss (
  id     INTEGER PRIMARY KEY,
  host   INTEGER NOT NULL,
  life   INTEGER NOT NULL,          -- when the daemon that told it began, ns
  seq    INTEGER NOT NULL,          -- its number in that life
  begin  INTEGER,
  done   INTEGER,
  cpu    INTEGER,
  reason TEXT NOT NULL,
  source TEXT,
  count  INTEGER,
  UNIQUE (host, life, seq)
);
CREATE INDEX t_loss_done ON t_loss (done);

-- Runs that go on, with what the daemon needs to go on with them.
CREATE TABLE t_live (
  boot TEXT NOT NULL,
  key  TEXT NOT NULL,               -- procmon.EntityID
  run  INTEGER,                     -- t_run.id; NULL: not recorded yet
  body TEXT NOT NULL,               -- procmon.LiveRun as JSON
  PRIMARY KEY (boot, key)
) WITHOUT ROWID;

INSERT INTO t_job (id, evidence, charge) VALUES (0, 0, 0);
INSERT INTO t_charge (id) VALUES (0);
INSERT INTO t_step (id, job) VALUES (0, 0);
INSERT INTO t_command (id, hash, day) VALUES (0, -1, 0);

CREATE VIEW runs AS
SELECT
  r.id AS run_id,
  h.name AS host,
  r.pid AS pid,
  r.ppid AS ppid,
  r.id / 1e6 AS start,
  CASE WHEN r.flags & 1 THEN NULL ELSE (r.id + r.elapsed) / 1e6 END AS "end",
  u.name AS user,
  u.uid AS uid,
  ifnull(r.euid, u.uid) AS euid,
  j.scheduler AS scheduler,
  j.cluster AS cluster,
  j.job_id AS job_id,
  j.raw_id AS raw_job_id,
  s.name AS step_id,
  CAST(r.task AS TEXT) AS task_id,
  j.account AS account,
  j.partition AS partition,
  j.name AS job_name,
  j.restart AS restart,
  a.name AS application,
  a.version AS version,
  a.kind AS kind,
  i.package AS package,
  i.evidence AS evidence,
  i.exe AS executable,
  i.script AS script,
  c.text AS command_line,
  r.elapsed / 1e6 AS elapsed_seconds,
  (r.user_us + r.sys_us) / 1e6 AS cpu_seconds,
  r.user_us / 1e6 AS user_cpu_seconds,
  r.sys_us / 1e6 AS system_cpu_seconds,
  r.rss AS max_rss_bytes,
  r.read AS read_bytes,
  r.write AS write_bytes,
  CASE WHEN r.exit < 256 THEN r.exit END AS exit_code,
  CASE WHEN r.exit > 256 THEN r.exit - 256 END AS exit_signal,
  CASE WHEN r.flags & 1 THEN NULL
       WHEN r.flags & 4 THEN 'unknown'
       WHEN r.exit IS NULL THEN NULL  -- replaced by another execve
       WHEN r.exit = 0 THEN 'success' ELSE 'failure' END AS outcome,
  r.flags >> 1 & 1 AS adopted,
  CASE r.flags >> 8 & 7 WHEN 1 THEN 'environ' WHEN 2 THEN 'parent' WHEN 3 THEN 'ancestor'
       WHEN 4 THEN 'cgroup' WHEN 5 THEN 'facts' END AS job_evidence,
  CASE WHEN r.step = 0 THEN NULL ELSE nullif(rtrim(
    CASE j.evidence & 15 WHEN 1 THEN 'id,' ELSE '' END ||
    CASE j.evidence >> 4 & 15 WHEN 1 THEN 'raw_id,' ELSE '' END ||
    CASE j.evidence >> 8 & 15 WHEN 1 THEN 'cluster,' ELSE '' END ||
    CASE WHEN r.flags & 16 THEN 'step_id,' ELSE '' END ||
    CASE WHEN r.flags & 32 THEN 'task_id,' ELSE '' END ||
    CASE j.evidence >> 20 & 15 WHEN 1 THEN 'user,' ELSE '' END ||
    CASE j.evidence >> 24 & 15 WHEN 1 THEN 'account,' ELSE '' END ||
    CASE j.evidence >> 28 & 15 WHEN 1 THEN 'partition,' ELSE '' END ||
    CASE j.evidence >> 32 & 15 WHEN 1 THEN 'name,' ELSE '' END ||
    CASE j.evidence >> 36 & 15 WHEN 1 THEN 'restart,' ELSE '' END, ','), '') END AS unproved,
  r.flags & 1 AS open,
  (r.id - r.parent) / 1e6 AS parent_start,
  r.flags >> 3 & 1 AS command_cut,
  j.sluid AS sluid,
  nullif(j.claim, -1) AS claim_uid,
  i.image AS image,
  nullif(rtrim(
    CASE WHEN r.missing & 1 THEN 'stat,' ELSE '' END || CASE WHEN r.missing & 2 THEN 'status,' ELSE '' END ||
    CASE WHEN r.missing & 4 THEN 'args,' ELSE '' END || CASE WHEN r.missing & 8 THEN 'env,' ELSE '' END ||
    CASE WHEN r.missing & 16 THEN 'exe,' ELSE '' END || CASE WHEN r.missing & 32 THEN 'cwd,' ELSE '' END ||
    CASE WHEN r.missing & 64 THEN 'cgroup,' ELSE '' END, ','), '') AS missing
FROM t_run r
JOIN t_host h ON h.id = r.host
JOIN t_user u ON u.id = r.user
JOIN t_step s ON s.id = r.step
JOIN t_job j ON j.id = s.job
JOIN t_identity i ON i.id = r.identity
JOIN t_app a ON a.id = i.app
JOIN t_command c ON c.id = r.command;

CREATE VIEW usage AS
SELECT
  date(g.day * 86400, 'unixepoch') AS day,
  g.day AS epoch_day,
  h.name AS host,
  u.name AS user,
  u.uid AS uid,
  j.scheduler AS scheduler,
  j.cluster AS cluster,
  j.job_id AS job_id,
  j.raw_id AS raw_job_id,
  j.restart AS restart,
  s.name AS step_id,
  j.account AS account,
  j.partition AS partition,
  j.name AS job_name,
  a.name AS application,
  a.version AS version,
  a.kind AS kind,
  i.package AS package,
  i.exe AS executable,
  i.script AS script,
  g.runs AS runs,
  g.failed AS failed,
  (g.user_us + g.sys_us) / 1e6 AS cpu_seconds,
  g.user_us / 1e6 AS user_cpu_seconds,
  g.sys_us / 1e6 AS system_cpu_seconds,
  g.elapsed / 1e6 AS elapsed_seconds,
  g.rss AS max_rss_bytes,
  g.read AS read_bytes,
  g.write AS write_bytes,
  (g.day * 86400000 + g.first) / 1e3 AS first,
  (g.day * 86400000 + g.last) / 1e3 AS last,
  j.sluid AS sluid,
  nullif(j.claim, -1) AS claim_uid
FROM t_usage g
JOIN t_host h ON h.id = g.host
JOIN t_user u ON u.id = g.user
JOIN t_step s ON s.id = g.step
JOIN t_job j ON j.id = s.job
JOIN t_identity i ON i.id = g.identity
JOIN t_app a ON a.id = i.app;

CREATE VIEW history AS
SELECT
  date(g.day * 86400, 'unixepoch') AS day,
  g.day AS epoch_day,
  u.name AS user,
  u.uid AS uid,
  c.scheduler AS scheduler,
  c.cluster AS cluster,
  c.account AS account,
  c.partition AS partition,
  a.name AS application,
  a.version AS version,
  a.kind AS kind,
  g.runs AS runs,
  g.failed AS failed,
  (g.user_us + g.sys_us) / 1e6 AS cpu_seconds,
  g.user_us / 1e6 AS user_cpu_seconds,
  g.sys_us / 1e6 AS system_cpu_seconds,
  g.elapsed / 1e6 AS elapsed_seconds,
  g.rss AS max_rss_bytes,
  g.read AS read_bytes,
  g.write AS write_bytes,
  (g.day * 86400000 + g.first) / 1e3 AS first,
  (g.day * 86400000 + g.last) / 1e3 AS last
FROM t_history g
JOIN t_user u ON u.id = g.user
JOIN t_charge c ON c.id = g.charge
JOIN t_app a ON a.id = g.app;

CREATE VIEW jobs AS
SELECT
  j.scheduler AS scheduler,
  j.cluster AS cluster,
  j.job_id AS job_id,
  j.raw_id AS raw_job_id,
  j.restart AS restart,
  j.sluid AS sluid,
  j.array_job AS array_job_id,
  j.array_task AS array_task_id,
  j.het_job AS het_job_id,
  j.het_offset AS het_offset,
  j.owner AS user,
  j.owner_uid AS uid,
  j.account AS account,
  j.partition AS partition,
  j.name AS job_name,
  h.name AS host,
  t.cpus AS cpus,
  t.gpus AS gpus,
  t.begin / 1e6 AS start,
  t.done / 1e6 AS "end",
  nullif(j.claim, -1) AS claim_uid
FROM t_job j
JOIN t_job_host t ON t.job = j.id
JOIN t_host h ON h.id = t.host;

CREATE VIEW losses AS
SELECT
  l.begin / 1e6 AS "from",
  l.done / 1e6 AS "to",
  h.name AS host,
  l.cpu AS cpu,
  l.reason AS reason,
  l.source AS source,
  l.count AS count
FROM t_loss l
JOIN t_host h ON h.id = l.host;
