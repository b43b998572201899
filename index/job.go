package index

import "procmon"

// jobRow is a row of t_job in memory.
type jobRow struct {
	id     int64 // 0: not stored yet
	charge int64
	claim  int64       // proved, or the uid that claims the job
	fresh  bool        // nothing is booked to it yet
	job    procmon.Job // without step, task and evidence of membership
}

const jobColumns = `scheduler, cluster, raw_id, restart, sluid, job_id, array_job, array_task, het_job, het_offset,
	owner_uid, owner, account, partition, name, evidence, charge, claim`

// jobOf finds or makes the row of a job and adds what j knows of it. It gives
// 0 for no job. Claim is proved or the uid on whose word alone it is the job.
func (t *txn) jobOf(j *procmon.Job, host, claim int64) (int64, error) {
	if j.None() {
		return 0, nil
	}
	facts := bounded(*j)
	facts.Step, facts.Task, facts.Conflict, facts.Evidence = "", "", "", 0
	facts.By[procmon.JobStep], facts.By[procmon.JobTask] = 0, 0
	k := claimKey{facts, claim, host}
	id, ok := t.w.cache.jobs.get(k)
	if !ok {
		row, err := t.learnJob(&facts, host, claim)
		if err != nil {
			return 0, err
		}
		id = row.id
		t.w.cache.jobs.put(k, id)
	}
	return id, t.jobHost(id, host)
}

// learnJob finds or makes a job's row and adds what j knows.
func (t *txn) learnJob(j *procmon.Job, host, claim int64) (row *jobRow, err error) {
	if seen, err := t.sawJob(j); err != nil {
		return nil, err
	} else if !seen {
		row = newJob(j, claim)
		return row, t.mergeJob(row, j)
	}
	if claim != proved {
		if row, err = t.ownedJob(j, host, claim); err != nil {
			return nil, err
		}
		if row != nil && j.SLUID != row.job.SLUID {
			j = new(*j)
			j.SLUID = "" // it names the proved row to others
		}
	}
	if row == nil {
		if row, err = t.findJob(j, host, claim); err != nil {
			return nil, err
		}
	}
	if err := t.mergeJob(row, j); err != nil {
		return nil, err
	}
	return row, t.adoptClaims(row, hostList(host))
}

// sawJob says whether any row has the number or the SLUID of a job. Most jobs are
// new when they are first met, and this is less than to look for each way in which
// an old one may be known.
func (t *txn) sawJob(j *procmon.Job) (bool, error) {
	var seen int64
	_, err := t.get("SELECT EXISTS (SELECT 1 FROM t_job WHERE raw_id = ?) OR EXISTS (SELECT 1 FROM t_job WHERE sluid = ?)",
		[]any{known(j.RawID), known(j.SLUID)}, &seen)
	return seen != 0, err
}

// newJob is a row that is still to be stored.
func newJob(j *procmon.Job, claim int64) *jobRow {
	return &jobRow{fresh: true, claim: claim, job: procmon.Job{
		RawID: clean(j.RawID), Restart: j.Restart, Cluster: clean(j.Cluster), SLUID: clean(j.SLUID),
	}}
}

// bounded cuts what a user's environment may have made long, before it is
// remembered.
func bounded(j procmon.Job) procmon.Job {
	for _, s := range []*string{&j.Scheduler, &j.Cluster, &j.ID, &j.RawID, &j.SLUID, &j.ArrayJob, &j.ArrayTask, &j.HetJob, &j.HetOffset,
		&j.User, &j.Account, &j.Partition, &j.Name} {
		if len(*s) > maxText {
			*s = (*s)[:maxText]
		}
	}
	return j
}

// jobHost makes the row of a job's share of a host.
func (t *txn) jobHost(job, host int64) error {
	k := [2]int64{job, host}
	if ok, _ := t.w.cache.jobHosts.get(k); ok {
		return nil
	}
	err := t.exec("INSERT OR IGNORE INTO t_job_host (job, host) VALUES (?, ?)", job, host)
	if err == nil {
		t.w.cache.jobHosts.put(k, true)
	}
	return err
}

// findJob finds the row that j belongs to, or makes one for storeJob. A job may be known by
// its SLUID first and by its number later, and its cluster or restart count
// may become known later too: then the row found is given the better key. All
// of it is of the same claim.
func (t *txn) findJob(j *procmon.Job, host, claim int64) (*jobRow, error) {
	byKey, err := t.jobExactly(j, host, claim)
	if err != nil {
		return nil, err
	}
	bySLUID, err := t.jobBySLUID(j, claim)
	if err != nil {
		return nil, err
	}
	switch {
	case byKey != nil && bySLUID != nil && byKey.id != bySLUID.id && bySLUID.job.RawID == "":
		return byKey, t.foldJob(bySLUID, byKey)
	case byKey != nil:
		return byKey, nil
	case bySLUID != nil:
		return bySLUID, t.rekeyJob(bySLUID, j)
	}
	if j.RawID != "" {
		// On one host, one of two clusters being unknown, the same number is the same job.
		loose, err := t.jobWhere(`raw_id = ? AND claim = ? AND restart = ? AND (cluster IS NULL OR ? = '')
			AND EXISTS (SELECT 1 FROM t_job_host WHERE job = id AND host = ?) ORDER BY id DESC LIMIT 1`,
			clean(j.RawID), claim, j.Restart, j.Cluster, host)
		if err != nil || loose != nil {
			if err == nil {
				err = t.rekeyJob(loose, j)
			}
			return loose, err
		}
	}
	if j.Restart > 0 { // what was the newest one of its number is not any more
		t.w.cache.jobs.clear()
	}
	return newJob(j, claim), nil
}

// jobExactly finds a job by its key. When it is not known how often it was
// requeued, that is its newest life on this host: a process that emptied its
// environment tells no count, its siblings do.
func (t *txn) jobExactly(j *procmon.Job, host, claim int64) (*jobRow, error) {
	if j.RawID != "" && j.Restart == 0 && j.By[procmon.JobRestart] == 0 {
		row, err := t.jobWhere(`raw_id = ? AND claim = ? AND ifnull(cluster, '') = ? AND EXISTS (SELECT 1 FROM t_job_host WHERE job = id AND host = ?)
			ORDER BY restart DESC LIMIT 1`, clean(j.RawID), claim, clean(j.Cluster), host)
		if row != nil || err != nil {
			return row, err
		}
	}
	return t.jobWhere("raw_id = ? AND claim = ? AND restart = ? AND ifnull(cluster, '') = ?", clean(j.RawID), claim, j.Restart, clean(j.Cluster))
}

// jobBySLUID finds a job by its SLUID, unless its number is another one.
func (t *txn) jobBySLUID(j *procmon.Job, claim int64) (*jobRow, error) {
	if j.SLUID == "" {
		return nil, nil
	}
	return t.jobWhere("sluid = ? AND claim = ? AND (raw_id IS NULL OR ? IN ('', raw_id)) ORDER BY raw_id IS NULL LIMIT 1",
		clean(j.SLUID), claim, clean(j.RawID))
}

// rekeyJob gives a row what j knows of its key.
func (t *txn) rekeyJob(row *jobRow, j *procmon.Job) error {
	old := row.job
	k := &row.job
	if j.RawID != "" {
		k.RawID = clean(j.RawID)
	}
	if j.By[procmon.JobRestart] > k.By[procmon.JobRestart] {
		k.Restart = j.Restart
	}
	if k.Cluster == "" {
		k.Cluster = clean(j.Cluster)
	}
	n, err := t.change("UPDATE OR IGNORE t_job SET raw_id = ?, restart = ?, cluster = ? WHERE id = ?",
		known(k.RawID), k.Restart, known(k.Cluster), row.id)
	if err != nil {
		return err
	}
	if n == 0 { // another row has that key: the job stays two rows
		row.job = old
	}
	return t.storeJob(row)
}

func (t *txn) jobWhere(where string, args ...any) (*jobRow, error) {
	row := &jobRow{}
	var restart, uid *int64
	var evidence int64
	j := &row.job
	var s [13]*string
	ok, err := t.get("SELECT id, "+jobColumns+" FROM t_job WHERE "+where, args, &row.id,
		&s[0], &s[1], &s[2], &restart, &s[3], &s[4], &s[5], &s[6], &s[7], &s[8], &uid, &s[9], &s[10], &s[11], &s[12], &evidence, &row.charge, &row.claim)
	if err != nil || !ok {
		return nil, err
	}
	for i, dst := range []*string{&j.Scheduler, &j.Cluster, &j.RawID, &j.SLUID, &j.ID, &j.ArrayJob, &j.ArrayTask,
		&j.HetJob, &j.HetOffset, &j.User, &j.Account, &j.Partition, &j.Name} {
		if s[i] != nil {
			*dst = *s[i]
		}
	}
	if restart != nil {
		j.Restart = int(*restart)
	}
	if uid != nil {
		j.UID = uint32(*uid)
	}
	for f := range j.By {
		j.By[f] = procmon.Evidence(evidence >> (4 * f) & 15)
	}
	if uid == nil && j.By[procmon.JobUser] > 0 {
		j.UID = procmon.NoUID
	}
	return row, nil
}

// step finds or makes the row of a job's step; an unknown step is one too.
func (t *txn) step(job int64, name string) (int64, error) {
	if job == 0 {
		return 0, nil
	}
	name = name[:min(len(name), maxText)]
	k := stepKey{job, name}
	if id, ok := t.w.cache.steps.get(k); ok {
		return id, nil
	}
	var id int64
	ok, err := t.get("SELECT id FROM t_step WHERE job = ? AND name IS ?", []any{job, known(name)}, &id)
	if err == nil && !ok {
		id, err = t.insert("INSERT INTO t_step (job, name) VALUES (?, ?)", job, known(name))
	}
	if err == nil {
		t.w.cache.steps.put(k, id)
	}
	return id, err
}

// summary stores what prolog and epilog told of a job on this host.
func (t *txn) summary(r *procmon.Record) error {
	s := r.Summary
	if s.Job.None() {
		return &refusal{"a summary of no job"}
	}
	host, err := t.host(r.Host)
	if err != nil {
		return err
	}
	job, err := t.jobOf(&s.Job, host, proved)
	if err != nil {
		return err
	}
	err = t.exec(`UPDATE t_job_host SET cpus = ifnull(?, cpus), gpus = ifnull(?, gpus), begin = ifnull(?, begin), done = ifnull(?, done),
		cgroup_us = max(ifnull(?, cgroup_us), ifnull(cgroup_us, 0))
		WHERE job = ? AND host = ?`, positive(s.CPUs), positive(s.GPUs), microsOf(s.Start), microsOf(s.End), positive(int(s.CgroupCPU.Microseconds())), job, host)
	return err
}

// positive is n for a column; 0 is "not known".
func positive(n int) any {
	if n <= 0 {
		return nil
	}
	return n
}
