package index

import (
	"strings"

	"procmon"
)

// mostShares bounds the hosts of one job that are looked up.
const mostShares = 1 << 16

// hostShare is a job's share of a host that the index knows.
type hostShare struct {
	id         int64
	cpus, gpus int
}

// knownHosts keeps the hosts that the index knows. Schedulers most often know
// hosts by their short names.
func (t *txn) knownHosts(shares []procmon.HostShare) ([]hostShare, error) {
	var found []hostShare
	for _, s := range shares[:min(len(shares), mostShares)] {
		id, err := t.knownHost(s.Host)
		if err != nil {
			return nil, err
		}
		if id > 0 {
			found = append(found, hostShare{id, s.CPUs, s.GPUs})
		}
	}
	return found, nil
}

// knownHost is the row of a host by its name or the first part of it, 0 for
// none, or several.
func (t *txn) knownHost(name string) (int64, error) {
	if t.w.cache.short == nil {
		if err := t.loadShort(); err != nil {
			return 0, err
		}
	}
	name = clean(name)
	if id, ok := t.w.cache.hosts[name]; ok {
		return id, nil
	}
	var id int64
	if ok, err := t.get("SELECT id FROM t_host WHERE name = ?", []any{name}, &id); ok || err != nil {
		return id, err
	}
	short, _, _ := strings.Cut(name, ".")
	return t.w.cache.short[short], nil
}

// loadShort reads the first parts of the hosts' names, 0 where several have it.
func (t *txn) loadShort() error {
	names := make(map[string]int64)
	err := t.each("SELECT id, name FROM t_host ORDER BY id", nil, func(scan func(...any) error) error {
		var id int64
		var full string
		if err := scan(&id, &full); err != nil {
			return err
		}
		short, _, _ := strings.Cut(full, ".")
		if _, twice := names[short]; twice {
			id = 0
		}
		names[short] = id
		return nil
	})
	t.w.cache.short = names
	return err
}

// shareAmong notes the job's share of hosts, where prolog and epilog did not:
// these looked at the host itself.
func (t *txn) shareAmong(job int64, hosts []hostShare, a *procmon.Allocation) (changed bool, err error) {
	for _, h := range hosts {
		n, err := t.change(`INSERT INTO t_job_host (job, host, cpus, gpus, begin, done) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (job, host) DO UPDATE SET cpus = ifnull(cpus, excluded.cpus), gpus = ifnull(gpus, excluded.gpus),
				begin = ifnull(begin, excluded.begin), done = ifnull(done, excluded.done)
			WHERE cpus IS NULL AND excluded.cpus IS NOT NULL OR gpus IS NULL AND excluded.gpus IS NOT NULL
				OR begin IS NULL AND excluded.begin IS NOT NULL OR done IS NULL AND excluded.done IS NOT NULL`,
			job, h.id, positive(h.cpus), positive(h.gpus), microsOf(a.Start), microsOf(a.End))
		if err != nil {
			return changed, err
		}
		changed = changed || n > 0
	}
	return changed, nil
}
