package index

import (
	"strconv"

	"procmon"
)

// proved is the claim of a job that somebody other than its user vouches for.
const proved = int64(-1)

// claimOf is the uid of a run that names a job in its environment alone, or
// proved. Whoever forges an environment must not be able to charge or describe
// another user's job, so that such runs have a job of their own for each uid. A run
// of the owner that the scheduler tells needs none: users may claim what is theirs.
func claimOf(run *procmon.Run) int64 {
	j, uid := &run.Job, run.Process.UID
	if j.Evidence.Proved() || j.By[procmon.JobUser].Proved() && j.UID == uid && uid != procmon.NoUID {
		return proved
	}
	return int64(uid)
}

// The owner of a row, and how that became known: the sixth of the four-bit
// fields of evidence. The tenth is that of the restart count.
const (
	ownerProved   = "(evidence >> 20 & 15) > 1"
	restartSilent = "(evidence >> 36 & 15) = 0"
)

// ownedJob finds the proved job of its owner that a claim names, nil when
// there is none. Its key stays as it is.
func (t *txn) ownedJob(j *procmon.Job, host, claim int64) (*jobRow, error) {
	if j.RawID == "" {
		return nil, nil
	}
	silent := j.By[procmon.JobRestart] == 0 && j.Restart == 0
	return t.jobWhere(`raw_id = ?1 AND claim = -1 AND owner_uid = ?2 AND `+ownerProved+` AND (restart = ?3 OR ?4)
		AND (ifnull(cluster, '') = ?5 OR (cluster IS NULL OR ?5 = '') AND EXISTS (SELECT 1 FROM t_job_host WHERE job = id AND host = ?6))
		ORDER BY ifnull(cluster, '') = ?5 DESC, restart DESC LIMIT 1`,
		clean(j.RawID), claim, j.Restart, silent, clean(j.Cluster), host)
}

// adoptClaims moves what the owner of a proved job claimed before it was proved
// to be theirs. Nobody else's claims ever move. Where a cluster is not known,
// those made on one of the hosts, a JSON array of ids, are of the same job.
func (t *txn) adoptClaims(row *jobRow, hosts string) error {
	j := &row.job
	if row.claim != proved || j.RawID == "" || !j.By[procmon.JobUser].Proved() || j.UID == procmon.NoUID {
		return nil
	}
	for {
		from, err := t.jobWhere(`raw_id = ?1 AND claim = ?2 AND (restart = ?3 OR `+restartSilent+`)
			AND (ifnull(cluster, '') = ?4 OR (cluster IS NULL OR ?4 = '') AND EXISTS
				(SELECT 1 FROM t_job_host WHERE job = id AND host IN (SELECT value FROM json_each(?5))))
			LIMIT 1`, j.RawID, int64(j.UID), j.Restart, j.Cluster, hosts)
		if from == nil || err != nil {
			return err
		}
		from.job.SLUID = "" // it names the proved row to others
		if err := t.foldJob(from, row); err != nil {
			return err
		}
	}
}

// hostList is a JSON array of ids, for json_each.
func hostList(ids ...int64) string {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(append(b, ']'))
}
