package index

import "procmon"

// better says whether evidence e may overwrite a field known by old. Of equal
// evidence the first stays, so that two processes that contradict each other
// don't take turns; what the scheduler itself says may change.
func better(e, old procmon.Evidence) bool {
	if e == old {
		return e >= procmon.EvidenceFacts
	}
	return e > old
}

// mergeJob adds what j knows to a row, field by field.
func (t *txn) mergeJob(row *jobRow, j *procmon.Job) error {
	k := row.job
	set := func(f procmon.JobField, dst *string, src string) bool {
		if src == "" || *dst != "" && !better(j.By[f], k.By[f]) {
			return false
		}
		*dst, k.By[f] = clean(src), j.By[f]
		return true
	}
	if set(procmon.JobID, &k.ID, j.ID) {
		k.ArrayJob, k.ArrayTask = clean(j.ArrayJob), clean(j.ArrayTask)
		k.HetJob, k.HetOffset = clean(j.HetJob), clean(j.HetOffset)
	}
	set(procmon.JobAccount, &k.Account, j.Account)
	set(procmon.JobPartition, &k.Partition, j.Partition)
	set(procmon.JobName, &k.Name, j.Name)
	if e := j.By[procmon.JobUser]; e > 0 && (k.By[procmon.JobUser] == 0 || better(e, k.By[procmon.JobUser])) {
		k.User, k.UID, k.By[procmon.JobUser] = clean(j.User), j.UID, e
	} else if k.UID == procmon.NoUID && k.User == clean(j.User) && e.Proved() {
		k.UID = j.UID // accounting may tell the name only
	}
	for _, f := range []procmon.JobField{procmon.JobRawID, procmon.JobCluster, procmon.JobRestart} {
		k.By[f] = max(k.By[f], j.By[f]) // their values are the key
	}
	if k.Scheduler == "" {
		k.Scheduler = clean(j.Scheduler)
	}
	if k.SLUID == "" {
		k.SLUID = clean(j.SLUID)
	}
	if k == row.job && row.charge != 0 && row.id != 0 {
		return nil
	}
	row.job = k
	return t.storeJob(row)
}

// storeJob updates a row, or makes one that has no id yet.
func (t *txn) storeJob(row *jobRow) error {
	j := &row.job
	id, err := t.charge(charge{j.Scheduler, j.Cluster, j.Account, j.Partition})
	if err != nil {
		return err
	}
	if id != row.charge && !row.fresh {
		t.recharged(row.id, row.charge, id)
	}
	row.charge = id
	var evidence int64
	for f, e := range j.By {
		evidence |= int64(e&15) << (4 * f)
	}
	var uid any
	if j.By[procmon.JobUser] > 0 && j.UID != procmon.NoUID {
		uid = int64(j.UID)
	}
	values := []any{known(j.Scheduler), known(j.SLUID), known(j.ID), known(j.ArrayJob), known(j.ArrayTask), known(j.HetJob), known(j.HetOffset),
		uid, known(j.User), known(j.Account), known(j.Partition), known(j.Name), evidence, id}
	if row.id == 0 {
		row.id, err = t.insert(`INSERT INTO t_job (scheduler, sluid, job_id, array_job, array_task, het_job, het_offset,
			owner_uid, owner, account, partition, name, evidence, charge, claim, raw_id, restart, cluster)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			append(values, row.claim, known(j.RawID), j.Restart, known(j.Cluster))...)
		return err
	}
	err = t.exec(`UPDATE t_job SET scheduler = ?, sluid = ?, job_id = ?, array_job = ?, array_task = ?, het_job = ?, het_offset = ?,
		owner_uid = ?, owner = ?, account = ?, partition = ?, name = ?, evidence = ?, charge = ? WHERE id = ?`, append(values, row.id)...)
	return err
}

// recharged notes that history must be summed again for a job's days.
func (t *txn) recharged(job int64, charges ...int64) {
	t.w.cache.charged.clear()
	if t.recharge[job] == nil {
		t.recharge[job] = make(map[int64]bool)
	}
	for _, c := range charges {
		t.recharge[job][c] = true
	}
}

// foldJob moves all that is recorded of one row to another one: they turned
// out to be the same job.
func (t *txn) foldJob(from, to *jobRow) error {
	if err := t.flush(); err != nil { // what is pending refers to the old steps
		return err
	}
	const used = "SELECT identity, day, user FROM t_usage WHERE step IN (SELECT id FROM t_step WHERE job = ?1)"
	for _, query := range []string{
		"INSERT OR IGNORE INTO t_used (identity, day, user, job) SELECT *, ?2 FROM (" + used + ")",
		"DELETE FROM t_used WHERE job = ?1 AND (identity, day, user) IN (" + used + ") AND ?2",
	} {
		if err := t.exec(query, from.id, to.id); err != nil {
			return err
		}
	}
	var steps []int64
	var names []string
	err := t.each("SELECT id, ifnull(name, '') FROM t_step WHERE job = ?", []any{from.id}, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, &name)
		steps, names = append(steps, id), append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	t.w.cache.steps.clear()
	t.w.cache.counted.clear()
	t.w.cache.charged.clear()
	t.w.cache.jobs.clear()
	t.w.cache.jobHosts.clear()
	for i, old := range steps {
		now, err := t.step(to.id, names[i])
		if err != nil {
			return err
		}
		if err := t.foldStep(old, now); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`INSERT INTO t_job_host SELECT ?2, host, cpus, gpus, begin, done, cgroup_us FROM t_job_host WHERE job = ?1
			ON CONFLICT (job, host) DO UPDATE SET cpus = ifnull(cpus, excluded.cpus), gpus = ifnull(gpus, excluded.gpus),
				begin = ifnull(begin, excluded.begin), done = ifnull(done, excluded.done),
				cgroup_us = max(ifnull(cgroup_us, excluded.cgroup_us), ifnull(excluded.cgroup_us, cgroup_us))`,
		"DELETE FROM t_job_host WHERE job = ?1 AND ?2",
		"UPDATE OR IGNORE t_allocation SET job = ?2 WHERE job = ?1",
		"DELETE FROM t_allocation WHERE job = ?1 AND ?2",
		"DELETE FROM t_job WHERE id = ?1 AND ?2",
	} {
		if err := t.exec(query, from.id, to.id); err != nil {
			return err
		}
	}
	t.folds++
	to.fresh = false
	t.recharged(to.id, from.charge, to.charge)
	return t.mergeJob(to, &from.job)
}

func (t *txn) foldStep(from, to int64) error {
	for _, query := range []string{
		"UPDATE t_run SET step = ?2 WHERE step = ?1",
		`INSERT INTO t_usage SELECT day, host, ?2, user, identity, runs, failed, elapsed, user_us, sys_us, rss, read, write, first, last
			FROM t_usage WHERE step = ?1 ` + addUsage,
		"DELETE FROM t_usage WHERE step = ?1 AND ?2",
		"DELETE FROM t_step WHERE id = ?1 AND ?2",
	} {
		if err := t.exec(query, from, to); err != nil {
			return err
		}
	}
	return nil
}
