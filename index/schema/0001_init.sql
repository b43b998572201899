-- The first schema. Tables begin with t_ and change by migration; the views of
-- views.sql are what others may rely on. Row 0 of t_step, t_job and t_command
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
