-- The views of the newest schema, made anew with every migration. They keep
-- their columns; new ones come last.

DROP VIEW IF EXISTS runs;
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
  nullif(r.rss + (r.rss & 1), 0) AS max_rss_bytes,
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
    CASE WHEN r.missing & 64 THEN 'cgroup,' ELSE '' END, ','), '') AS missing,
  ifnull(r.rss & 1, 0) AS max_rss_upper_bound,
  r.flags >> 6 & 1 AS provisional,
  s.job AS job_key
FROM t_run r
JOIN t_host h ON h.id = r.host
JOIN t_user u ON u.id = r.user
JOIN t_step s ON s.id = r.step
JOIN t_job j ON j.id = s.job
JOIN t_identity i ON i.id = r.identity
JOIN t_app a ON a.id = i.app
LEFT JOIN t_command c ON c.id = r.command; -- it is there; so who asks for no text does not look for it

DROP VIEW IF EXISTS long_runs;
CREATE VIEW long_runs AS
SELECT
  id AS run_id,
  (SELECT uid FROM t_user WHERE id = user) AS uid
FROM t_run
WHERE elapsed / 1e6 > 3600 OR flags & 1; -- as t_run_long has it

DROP VIEW IF EXISTS usage;
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
  nullif(g.rss + (g.rss & 1), 0) AS max_rss_bytes,
  g.read AS read_bytes,
  g.write AS write_bytes,
  (g.day * 86400000 + g.first) / 1e3 AS first,
  (g.day * 86400000 + g.last) / 1e3 AS last,
  j.sluid AS sluid,
  nullif(j.claim, -1) AS claim_uid,
  g.rss & 1 AS max_rss_upper_bound,
  s.job AS job_key
FROM t_usage g
JOIN t_host h ON h.id = g.host
JOIN t_user u ON u.id = g.user
JOIN t_step s ON s.id = g.step
JOIN t_job j ON j.id = s.job
JOIN t_identity i ON i.id = g.identity
JOIN t_app a ON a.id = i.app;

DROP VIEW IF EXISTS history;
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
  nullif(g.rss + (g.rss & 1), 0) AS max_rss_bytes,
  g.read AS read_bytes,
  g.write AS write_bytes,
  (g.day * 86400000 + g.first) / 1e3 AS first,
  (g.day * 86400000 + g.last) / 1e3 AS last,
  g.rss & 1 AS max_rss_upper_bound
FROM t_history g
JOIN t_user u ON u.id = g.user
JOIN t_charge c ON c.id = g.charge
JOIN t_app a ON a.id = g.app;

DROP VIEW IF EXISTS totals;
CREATE VIEW totals AS
SELECT
  date(g.day * 86400, 'unixepoch') AS day,
  g.day AS epoch_day,
  a.name AS application,
  a.version AS version,
  a.kind AS kind,
  g.runs AS runs,
  g.failed AS failed,
  (g.user_us + g.sys_us) / 1e6 AS cpu_seconds,
  g.user_us / 1e6 AS user_cpu_seconds,
  g.sys_us / 1e6 AS system_cpu_seconds,
  g.elapsed / 1e6 AS elapsed_seconds,
  nullif(g.rss + (g.rss & 1), 0) AS max_rss_bytes,
  g.read AS read_bytes,
  g.write AS write_bytes,
  (g.day * 86400000 + g.first) / 1e3 AS first,
  (g.day * 86400000 + g.last) / 1e3 AS last,
  g.rss & 1 AS max_rss_upper_bound
FROM t_total g
JOIN t_app a ON a.id = g.app;

-- one_job and one_user are numbers to be counted: all lives of a job have one,
-- and all rows of t_user that show the same name.
DROP VIEW IF EXISTS used;
CREATE VIEW used AS
SELECT
  date(g.day * 86400, 'unixepoch') AS day,
  g.day AS epoch_day,
  a.name AS application,
  a.version AS version,
  a.kind AS kind,
  CASE WHEN g.job IN (SELECT id FROM t_job WHERE restart > 0 OR claim <> -1) THEN coalesce(
    (SELECT o.id FROM t_job j JOIN t_job o ON o.raw_id = j.raw_id AND o.cluster IS j.cluster
     WHERE j.id = g.job ORDER BY o.restart > 0 OR o.claim <> -1, o.id LIMIT 1), g.job)
  ELSE nullif(g.job, 0) END AS one_job,
  CASE WHEN p.id IS NULL THEN g.user ELSE p.one END AS one_user,
  (SELECT uid FROM t_user WHERE id = g.user) AS uid
FROM t_app a
CROSS JOIN t_identity i ON i.app = a.id
CROSS JOIN t_used g ON g.identity = i.id
LEFT JOIN (
  SELECT id, one FROM (
    SELECT id, CASE WHEN coalesce(name, uid) IS NOT NULL THEN min(id) OVER (PARTITION BY coalesce(name, CAST(uid AS TEXT))) END AS one FROM t_user)
  WHERE one IS NOT id) p ON p.id = g.user;

DROP VIEW IF EXISTS jobs;
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
  nullif(j.claim, -1) AS claim_uid,
  j.id AS job_key,
  t.cgroup_us / 1e6 AS cgroup_cpu_seconds
FROM t_job j
JOIN t_job_host t ON t.job = j.id
JOIN t_host h ON h.id = t.host;

DROP VIEW IF EXISTS losses;
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

DROP VIEW IF EXISTS allocations;
CREATE VIEW allocations AS
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
  a.state AS state,
  a.over AS over,
  CASE WHEN a.exit < 256 THEN a.exit END AS exit_code,
  CASE WHEN a.exit > 256 THEN a.exit - 256 END AS exit_signal,
  a.cpus AS cpus,
  a.gpus AS gpus,
  a.nodes AS nodes,
  a.node_list AS node_list,
  a.submit / 1e6 AS submit,
  a.begin / 1e6 AS start,
  a.done / 1e6 AS "end",
  a.elapsed / 1e6 AS elapsed_seconds,
  a.cpu_us / 1e6 AS cpu_seconds,
  a.cpus * a.elapsed / 1e6 AS allocated_core_seconds,
  a.gpus * a.elapsed / 1e6 AS allocated_gpu_seconds,
  nullif(j.claim, -1) AS claim_uid,
  j.id AS job_key
FROM t_allocation a
JOIN t_job j ON j.id = a.job;
