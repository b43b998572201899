-- What the kernel counted for a job's cgroup on a host, beside what its runs did.
-- The views usage, runs, jobs and allocations tell a job by one number,
-- job_key, so that reports need not compare texts.
ALTER TABLE t_job_host ADD COLUMN cgroup_us INTEGER;
-- Long runs and open ones are few. With these, a range of hours need not look
-- at all runs that began before it to find those that ended in it.
CREATE INDEX t_run_long ON t_run (id) WHERE elapsed / 1e6 > 3600 OR flags & 1;
