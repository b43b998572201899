-- What the scheduler's accounting says of a whole job. Its share of single
-- hosts stands in t_job_host, its other facts in t_job.
CREATE TABLE t_allocation (
  job       INTEGER PRIMARY KEY,
  state     TEXT,
  over      INTEGER NOT NULL,       -- 1: it will not go on
  exit      INTEGER,                -- code, or 256 + signal
  cpus      INTEGER,
  gpus      INTEGER,
  nodes     INTEGER,
  node_list TEXT,
  submit    INTEGER,
  begin     INTEGER,
  done      INTEGER,
  elapsed   INTEGER,                -- while it had its CPUs
  cpu_us    INTEGER                 -- used, as accounting measured it
);
