package index

import (
	"fmt"

	"procmon"
)

// outcome is what became of what accounting says of a job.
type outcome uint8

const (
	same outcome = iota
	older
	added
	updated
)

// account stores what accounting says of a job: over whatever else is known of
// it, but never over what accounting said later.
func (t *txn) account(a *procmon.Accounted) (outcome, error) {
	if a.Job.RawID == "" {
		return same, &refusal{"a job without its number"}
	}
	hosts, err := t.knownHosts(a.Hosts)
	if err != nil {
		return same, err
	}
	j, now := bounded(a.Job), plainAllocation(a.Allocation)
	ids := make([]int64, len(hosts))
	for i, h := range hosts {
		ids[i] = h.id
	}
	list := hostList(ids...)
	if err := t.owner(&j); err != nil {
		return same, err
	}
	row, err := t.accountedRow(&j, &now, list)
	if err != nil {
		return same, err
	}
	was, err := t.allocation(row.id)
	if err != nil {
		return same, err
	}
	merged, fresh, ok := combine(row, &j, was, &now)
	if !ok {
		return older, nil
	}
	before := row.job
	if err := t.mergeAccounted(row, &j, fresh); err != nil {
		return same, err
	}
	if err := t.adoptClaims(row, list); err != nil {
		return same, err
	}
	changed, err := t.shareAmong(row.id, hosts, &now)
	if err != nil {
		return same, err
	}
	switch {
	case was == nil:
		return added, t.storeAllocation(row.id, &merged)
	case !sameAllocation(*was, merged):
		return updated, t.storeAllocation(row.id, &merged)
	case changed || before != row.job:
		return updated, nil
	}
	return same, nil
}

// combine says what is known of a job's allocation after what was known and what
// is told now, whether that is newer, and whether it is of any use at all.
func combine(row *jobRow, j *procmon.Job, was, now *procmon.Allocation) (merged procmon.Allocation, fresh, ok bool) {
	merged = *now
	switch {
	case was == nil:
		return merged, true, true
	case !sameLife(was, now):
		// The count is what tells lives apart. One that is told is right where
		// the other one was guessed; else the later life is the one that is kept.
		told, guessed := toldRestart(j), !toldRestart(&row.job)
		return merged, true, told && guessed || now.Start.After(was.Start)
	case later(was, now):
		fill(&merged, was)
		return merged, true, true
	}
	merged = *was
	fill(&merged, now)
	return merged, false, true
}

// toldRestart says whether accounting told how often a job was requeued.
func toldRestart(j *procmon.Job) bool { return j.By[procmon.JobRestart] >= procmon.EvidenceAccounting }

// owner finds the number of a user of whom accounting tells the name only,
// where runs of only one user of that name are known.
func (t *txn) owner(j *procmon.Job) error {
	if j.UID != procmon.NoUID || j.User == "" {
		return nil
	}
	name := clean(j.User)
	uid, ok := t.w.cache.owners.get(name)
	if !ok {
		uid = procmon.NoUID
		var least, most *int64
		if _, err := t.get("SELECT min(uid), max(uid) FROM t_user WHERE name = ?", []any{name}, &least, &most); err != nil {
			return err
		}
		if least != nil && *least == *most {
			uid = uint32(*least)
		}
		t.w.cache.owners.put(name, uid)
	}
	j.UID = uid
	return nil
}

// mergeAccounted adds facts to a row. Those that are not fresh only fill what
// accounting did not tell yet.
func (t *txn) mergeAccounted(row *jobRow, j *procmon.Job, fresh bool) error {
	k := *j
	if !fresh {
		for _, f := range []struct {
			field procmon.JobField
			value *string
		}{{procmon.JobID, &k.ID}, {procmon.JobAccount, &k.Account}, {procmon.JobPartition, &k.Partition}, {procmon.JobName, &k.Name}} {
			if row.job.By[f.field] >= procmon.EvidenceAccounting {
				*f.value = ""
			}
		}
		if row.job.By[procmon.JobUser] >= procmon.EvidenceAccounting {
			k.By[procmon.JobUser] = 0
		}
	}
	if old := &row.job; old.By[procmon.JobUser].Proved() { // accounting may tell one of name and number only
		if k.UID == procmon.NoUID && (old.User == clean(k.User) || old.User == "") {
			k.UID = old.UID
		}
		if k.User == "" && k.UID == old.UID {
			k.User = old.User
		}
	}
	return t.mergeJob(row, &k)
}

// accountedRow finds or makes the row of a job that accounting tells of.
func (t *txn) accountedRow(j *procmon.Job, a *procmon.Allocation, hosts string) (*jobRow, error) {
	row, err := t.likeliest(j, hosts)
	if err != nil {
		return nil, err
	}
	if row != nil {
		if j.Cluster == "" {
			j.Cluster = row.job.Cluster
		}
		if uid := row.job.UID; row.job.By[procmon.JobUser].Proved() && uid != procmon.NoUID && j.UID != procmon.NoUID && uid != j.UID &&
			row.job.By[procmon.JobUser] < procmon.EvidenceAccounting {
			return nil, &refusal{fmt.Sprintf("job %s is of user %d, the index knows it as one of user %d, by %s: is it of another cluster?",
				j.ID, j.UID, uid, row.job.By[procmon.JobUser])}
		}
		if !toldRestart(j) {
			if j.Restart, err = t.restartOf(row, a); err != nil {
				return nil, err
			}
		}
		if row.job.Cluster != j.Cluster { // it becomes known by this
			if err := t.rekeyJob(row, j); err != nil {
				return nil, err
			}
		}
	}
	return t.findJob(j, 0, proved)
}

// likeliest finds a row of the same number: of the same cluster and life, of
// the newest life when that is not told, or one whose cluster is not known,
// where its hosts don't say otherwise and there is no other one.
func (t *txn) likeliest(j *procmon.Job, hosts string) (*jobRow, error) {
	silent := !toldRestart(j)
	row, err := t.jobWhere(`raw_id = ?1 AND claim = -1 AND ifnull(cluster, '') = ?2 AND (restart = ?3 OR ?4) ORDER BY restart DESC LIMIT 1`,
		clean(j.RawID), clean(j.Cluster), j.Restart, silent)
	if row != nil || err != nil {
		return row, err
	}
	const loose = `raw_id = ?1 AND claim = -1 AND (cluster IS NULL OR ?2 = '') AND (restart = ?3 OR ?4)
		AND (?5 = '[]' OR EXISTS (SELECT 1 FROM t_job_host WHERE job = id AND host IN (SELECT value FROM json_each(?5))))`
	args := []any{clean(j.RawID), clean(j.Cluster), j.Restart, silent, hosts}
	clusters := 0
	if _, err := t.get("SELECT count(DISTINCT ifnull(cluster, '')) FROM t_job WHERE "+loose, args, &clusters); err != nil || clusters != 1 {
		return nil, err
	}
	return t.jobWhere(loose+" ORDER BY restart DESC LIMIT 1", args...)
}

// prologDelay is how long after a job's start its prolog may begin, and how much
// the clocks of two hosts may differ.
const prologDelay = 5_000_000

// restartOf guesses which life of a job something is of: the one that began
// then as accounting or a prolog told, the newest one that is known, or the one after it.
func (t *txn) restartOf(newest *jobRow, a *procmon.Allocation) (int, error) {
	j := &newest.job
	if a.Start.IsZero() {
		return j.Restart, nil
	}
	start, end := a.Start.UnixMicro(), maxStart
	if !a.End.IsZero() {
		end = a.End.UnixMicro()
	}
	var restart int
	ok, err := t.get(`SELECT restart FROM t_job JOIN t_allocation ON job = id
		WHERE raw_id = ?1 AND claim = -1 AND ifnull(cluster, '') = ?2 AND begin = ?3
		UNION ALL SELECT * FROM (SELECT restart FROM t_job JOIN t_job_host ON job = id
			WHERE raw_id = ?1 AND claim = -1 AND ifnull(cluster, '') = ?2 AND begin BETWEEN ?3 - ?5 AND ?4 ORDER BY begin)
		LIMIT 1`, []any{j.RawID, j.Cluster, start, end, prologDelay}, &restart)
	if ok || err != nil {
		return restart, err
	}
	// Only a count that was told can be counted on.
	var done *int64
	if toldRestart(j) {
		if _, err := t.get("SELECT done FROM t_allocation WHERE job = ? AND over", []any{newest.id}, &done); err != nil {
			return 0, err
		}
	}
	if done != nil && start >= *done {
		return j.Restart + 1, nil
	}
	return j.Restart, nil
}
