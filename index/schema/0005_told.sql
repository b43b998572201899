-- What was told of runs that go on for hours: the last checkpoint or end of each
-- day, so that one that comes late is booked as if it had come in its turn.
-- Columns as in t_run, so far. Of runs of before, which lack a bit in t_run.flags
-- (flagTold), nothing is known here.
CREATE TABLE t_told (
  run     INTEGER NOT NULL,
  day     INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  elapsed INTEGER NOT NULL,
  user_us INTEGER NOT NULL,
  sys_us  INTEGER NOT NULL,
  read    INTEGER NOT NULL,
  write   INTEGER NOT NULL,
  PRIMARY KEY (run, day)
) WITHOUT ROWID;
