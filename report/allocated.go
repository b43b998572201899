package report

import "slices"

// What a job's allocation is told by: these dimensions are facts of a whole
// job. The others divide jobs, and its allocation with them.
var jobDimensions = []Dimension{User, Account, Job, Partition, Cluster, Day, Month}

// divides says whether a query's rows or filters tell parts of one job apart.
func (q *Query) divides() bool {
	return slices.ContainsFunc(slices.Concat(q.By, filtered(q.Filters)), dividesJobs)
}

func dividesJobs(d Dimension) bool { return !slices.Contains(jobDimensions, d) }

// wantsAllocation says whether allocations are asked for and can be told by a query's
// dimensions: ways to end are known of single runs only, allocations are
// divided by sums over whole jobs.
func (q *Query) wantsAllocation() bool {
	return q.Allocated && !slices.Contains(slices.Concat(q.By, filtered(q.Filters)), Exit)
}

// The facts of a job, as they stand in views; the user is the job's owner.
const jobFacts = `user, uid, cluster, job_id, raw_job_id, sluid, restart, claim_uid, account, partition`

// jobKey tells jobs and their restarts apart: in one index by its number
// there, else by what users know of it.
func (m mode) jobKey() string {
	if m.mixed {
		return `coalesce(cluster, '') || char(31) || coalesce(raw_job_id, sluid) || char(31) || coalesce(restart, 0)`
	}
	return `job_key`
}

// spans are the allocations of jobs: a job's from accounting, where it tells
// the CPUs, else what prolog and epilog told of each of its hosts. One that goes
// on counts up to what is known of it last. core and gpu are in seconds, of the whole span.
func spans(q *Query, m mode) *statement {
	const told = `FROM allocations WHERE cpus IS NOT NULL AND start IS NOT NULL`
	untold := m.jobKey() + ` NOT IN (SELECT ` + m.jobKey() + ` ` + told + `)`
	if !m.mixed { // looks at the jobs in question only
		untold = `NOT EXISTS (SELECT 1 FROM allocations a WHERE a.job_key = h.job_key AND a.cpus IS NOT NULL AND a.start IS NOT NULL)`
	}
	s := m.begin()
	s.add(`SELECT ` + m.jobKey() + ` AS job, ` + jobFacts + `, begin, done, coalesce(core, 0.0) AS core, coalesce(gpu, 0.0) AS gpu, used, told FROM (
		SELECT ` + jobFacts + `, job_key, start AS begin, max(start, coalesce("end", start + elapsed_seconds, start)) AS done,
			allocated_core_seconds AS core, allocated_gpu_seconds AS gpu, cpu_seconds AS used, 1 AS told ` + told + `
		UNION ALL
		SELECT ` + jobFacts + `, job_key, begin, done, cpus * (done - begin), gpus * (done - begin), NULL, 0 FROM (
			SELECT *, start AS begin,
				max(start, coalesce("end", (SELECT max("last") FROM usage u WHERE u.job_key = jobs.job_key AND u.host = jobs.host), start)) AS done
			FROM jobs WHERE claim_uid IS NULL AND start IS NOT NULL AND (cpus IS NOT NULL OR gpus IS NOT NULL)) h
		WHERE ` + untold + `)`)
	jobs := Query{only: q.only}
	for _, f := range q.Filters {
		if slices.Contains(jobDimensions, f.By) && f.By != Day && f.By != Month {
			jobs.Filters = append(jobs.Filters, f)
		}
	}
	s.where(&jobs)
	s.add(` AND begin < ? AND (done > ? OR begin >= ?)`, unix(q.Until), unix(q.Since), unix(q.Since))
	return s
}

// parts is the CPU time of the jobs that have spans, divided as a query divides
// jobs: all that is recorded of them, in the query's range or not, so that what a job's
// applications get of its allocation does not hang on the range.
func parts(q *Query, m mode) *statement {
	s := new(statement)
	columns := ""
	for _, c := range q.partColumns() {
		columns += ", " + c
	}
	s.add(`SELECT ` + m.jobKey() + ` AS job` + columns + `, sum(cpu_seconds) AS cpu FROM usage
		WHERE claim_uid IS NULL AND (`)
	if m.several { // the span may stand in another index
		s.add(m.jobKey() + ` IN (SELECT job FROM (`)
		s.join(spans(q, m))
		s.add(`)) OR job_key IN (SELECT job_key FROM usage`)
		s.days(q)
		s.add(`)`)
	} else {
		s.add(m.jobKey() + ` IN (SELECT job FROM spans)`)
	}
	s.add(`) GROUP BY 1` + columns)
	return s
}

// partColumns are the columns by which a query divides jobs.
func (q *Query) partColumns() []string {
	var columns []string
	for _, d := range slices.Concat(q.By, filtered(q.Filters)) {
		if dividesJobs(d) {
			columns = append(columns, partColumn[d])
		}
	}
	if q.leavesOut() {
		columns = append(columns, partColumn[Kind])
	}
	return dedupe(columns)
}

var partColumn = map[Dimension]string{
	Application: "application", Version: "version", Step: "step_id", Host: "host", Executable: "executable", Kind: "kind",
}

const spanColumns = `job, ` + jobFacts + `, begin, done, core, gpu, used`

// timed is what of the spans lies in the range, the share of each span's time,
// day by day if the query asks for days.
func timed(q *Query, m mode) *statement {
	from := `spans`
	if m.several { // accounting may have been imported into several indexes
		from = `(SELECT *, max(done) FROM spans WHERE told GROUP BY job
			UNION ALL SELECT *, done FROM spans WHERE NOT told AND job NOT IN (SELECT job FROM spans WHERE told))`
	}
	s := new(statement)
	asked := slices.Concat(q.By, filtered(q.Filters))
	since, until := unix(q.Since), unix(q.Until)
	if !slices.Contains(asked, Day) && !slices.Contains(asked, Month) {
		s.add(`SELECT `+spanColumns+`, NULL AS day, CASE WHEN done > begin THEN (min(done, ?) - max(begin, ?)) / (done - begin) ELSE 1.0 END AS part FROM `+from,
			until, since)
		return s
	}
	s.add(`WITH RECURSIVE daily AS (SELECT `+spanColumns+`, CAST(max(begin, ?) / 86400 AS INTEGER) AS n FROM `+from+`
		UNION ALL SELECT `+spanColumns+`, n + 1 FROM daily WHERE (n + 1) * 86400 < min(done, ?))
		SELECT `+spanColumns+`, date(n * 86400, 'unixepoch') AS day,
			CASE WHEN done > begin THEN (min(done, ?, (n + 1) * 86400) - max(begin, ?, n * 86400)) / (done - begin) ELSE 1.0 END AS part FROM daily`,
		since, until, until, since)
	return s
}

// charged are rows of facts: core and GPU time of jobs. Where the query
// divides jobs, each part of a job has as much of it as it has of the job's CPU time: of what is
// recorded, or of what accounting tells, if that is more.
func charged(q *Query, m mode) *statement {
	s := new(statement)
	weight := "part"
	if q.divides() || q.leavesOut() {
		weight = "part * cpu / max(whole, coalesce(used, 0.0))"
	}
	s.shaped(q, map[string]string{"core": "core * " + weight, "gpu": "gpu * " + weight})
	s.add(" FROM (")
	s.join(timed(q, m))
	s.add(")")
	if weight != "part" {
		s.add(" JOIN (SELECT *, sum(cpu) OVER (PARTITION BY job) AS whole FROM parts) USING (job)")
	}
	s.where(q)
	if weight != "part" {
		s.add(" AND whole > 0")
	}
	return s
}

// allocatedInAll is the statement of the core and GPU time of all jobs of a query, whether
// anything of them is recorded or not. There must be no filter that divides jobs.
func allocatedInAll(q *Query, m mode) *statement {
	s := new(statement)
	s.add("SELECT sum(core * part), sum(gpu * part) FROM (")
	s.join(timed(q, m))
	s.add(")")
	s.where(q)
	return s
}
