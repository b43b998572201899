package index

import (
	"crypto/sha256"
	"encoding/binary"
	"path"
	"strings"

	"procmon"
)

// cache remembers ids of dictionary rows. It is thrown away when a transaction
// fails or rows are pruned.
type cache struct {
	hosts    map[string]int64
	short    map[string]int64 // hosts by the first part of their names, see knownHost; nil: not loaded
	users    memo[userKey, int64]
	owners   memo[string, uint32] // numbers of users by name, see owner
	charges  memo[charge, int64]
	apps     memo[appKey, int64]
	idents   memo[[16]byte, *dated]
	commands memo[[16]byte, *dated]
	steps    memo[stepKey, int64]
	jobs     memo[claimKey, int64]
	jobHosts memo[[2]int64, bool]
	charged  memo[int64, charged]  // by step
	apped    memo[int64, int64]    // applications by identity
	counted  memo[usedKey, bool]   // rows of t_used
	live     map[liveKey]liveState // open runs with a row in t_live; nil: not loaded
	crowds   []*crowd
	crowded  int // rows in crowds
}

// The largest keys are applications and jobs, some hundred bytes each.
func newCache() cache {
	const many, some = 16384, 2048
	return cache{
		hosts:    make(map[string]int64),
		users:    memo[userKey, int64]{half: some},
		owners:   memo[string, uint32]{half: some},
		charges:  memo[charge, int64]{half: some},
		apps:     memo[appKey, int64]{half: some},
		idents:   memo[[16]byte, *dated]{half: many},
		commands: memo[[16]byte, *dated]{half: many},
		steps:    memo[stepKey, int64]{half: some},
		jobs:     memo[claimKey, int64]{half: some},
		jobHosts: memo[[2]int64, bool]{half: some},
		charged:  memo[int64, charged]{half: some},
		counted:  memo[usedKey, bool]{half: 4 * some},
		apped:    memo[int64, int64]{half: some},
	}
}

// forget drops all but what is known of open runs, which does not come from
// dictionaries.
func (c *cache) forget() {
	live := c.live
	*c = newCache()
	c.live = live
}

type (
	userKey struct {
		uid  uint32
		name string
	}
	appKey struct{ name, version, kind string }
	// charge is what history knows of a job.
	charge struct{ scheduler, cluster, account, partition string }
	// claimKey has the host: what is not told of a job, its other runs there tell.
	claimKey struct {
		job         procmon.Job
		claim, host int64
	}
	stepKey struct {
		job  int64
		name string
	}
	// dated is a dictionary row that is pruned when it was not used for long.
	dated struct{ id, day int64 }
)

func (t *txn) host(name string) (int64, error) {
	name = clean(name)
	if id, ok := t.w.cache.hosts[name]; ok {
		return id, nil
	}
	var id int64
	ok, err := t.get("SELECT id FROM t_host WHERE name = ?", []any{name}, &id)
	if err == nil && !ok {
		id, err = t.insert("INSERT INTO t_host (name) VALUES (?)", name)
	}
	if err == nil {
		t.w.cache.hosts[name] = id
	}
	return id, err
}

// user finds or makes the row of a uid and its name. A uid whose name could
// not be told takes the newest name known for it, and the other way round.
func (t *txn) user(uid uint32, name string) (int64, error) {
	k := userKey{uid, name}
	if id, ok := t.w.cache.users.get(k); ok {
		return id, nil
	}
	number := any(int64(uid))
	if uid == procmon.NoUID {
		number = nil
	}
	var id int64
	ok, err := t.get(`SELECT id FROM t_user WHERE uid IS ?1 AND (?2 IS NULL OR name IS NULL OR name = ?2)
		ORDER BY name IS ?2 DESC, id DESC LIMIT 1`, []any{number, known(name)}, &id)
	switch {
	case err != nil:
	case !ok:
		id, err = t.insert("INSERT INTO t_user (uid, name) VALUES (?, ?)", number, known(name))
	case name != "":
		err = t.exec("UPDATE t_user SET name = ? WHERE id = ? AND name IS NULL", known(name), id)
	}
	if err == nil {
		t.w.cache.users.put(k, id)
	}
	return id, err
}

func (t *txn) app(k appKey) (int64, error) {
	if id, ok := t.w.cache.apps.get(k); ok {
		return id, nil
	}
	args := []any{known(k.name), known(k.version), known(k.kind)}
	var id int64
	ok, err := t.get("SELECT id FROM t_app WHERE name IS ? AND version IS ? AND kind = ?", args, &id)
	if err == nil && !ok {
		id, err = t.insert("INSERT INTO t_app (name, version, kind) VALUES (?, ?, ?)", args...)
	}
	if err == nil {
		t.w.cache.apps.put(k, id)
	}
	return id, err
}

func (t *txn) charge(k charge) (int64, error) {
	if k == (charge{}) {
		return 0, nil
	}
	if id, ok := t.w.cache.charges.get(k); ok {
		return id, nil
	}
	args := []any{known(k.scheduler), known(k.cluster), known(k.account), known(k.partition)}
	var id int64
	ok, err := t.get(`SELECT id FROM t_charge WHERE id > 0 AND scheduler IS ? AND cluster IS ? AND account IS ? AND partition IS ?`, args, &id)
	if err == nil && !ok {
		id, err = t.insert("INSERT INTO t_charge (scheduler, cluster, account, partition) VALUES (?, ?, ?, ?)", args...)
	}
	if err == nil {
		t.w.cache.charges.put(k, id)
	}
	return id, err
}

// identity finds or makes the row of what a run was.
func (t *txn) identity(a *procmon.Application, script, exe string, day int64) (int64, error) {
	k := t.identityKey(a, script, exe)
	d, ok := t.w.cache.idents.get(k)
	if !ok {
		kind := string(a.Kind)
		if kind == "" {
			kind = string(procmon.KindUnknown)
		}
		app, err := t.app(appKey{a.Name, a.Version, kind})
		if err != nil {
			return 0, err
		}
		d = &dated{day: day}
		args := []any{0, app, known(exe), known(script), known(a.Package), known(a.Evidence), known(a.Image), known(a.Rules)}
		args[0] = hashOf(args[1:])
		// "+app": the hash finds the row, an application has thousands.
		ok, err := t.get(`SELECT id, day FROM t_identity WHERE hash = ? AND +app = ? AND exe IS ? AND script IS ?
			AND package IS ? AND evidence IS ? AND image IS ? AND rules IS ?`, args, &d.id, &d.day)
		if err == nil && !ok {
			d.id, err = t.insert(`INSERT INTO t_identity (hash, app, exe, script, package, evidence, image, rules, day)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(args, day)...)
		}
		if err != nil {
			return 0, err
		}
		t.w.cache.idents.put(k, d)
	}
	return d.id, t.touch("UPDATE t_identity SET day = max(day, ?) WHERE id = ?", d, day)
}

// identityKey is a hash that nobody can steer, much smaller than the texts: a cluster's users
// have tens of thousands of programs.
func (t *txn) identityKey(a *procmon.Application, script, exe string) [16]byte {
	b := t.w.line[:0]
	for _, s := range []string{a.Name, a.Version, string(a.Kind), a.Package, a.Evidence, a.Image, a.Rules, script, exe} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	t.w.line = b
	sum := sha256.Sum256(b)
	return [16]byte(sum[:])
}

// scriptOf is a script's path with %j for the number of the job, where the scheduler keeps the
// job's script in a file of its own: Slurm's SPOOL/job00042/slurm_script, PBS's
// mom_priv/jobs/42.server.SC. It is one program for all jobs then, as it is for those who count programs.
func scriptOf(script, job string) string {
	if job == "" {
		return script
	}
	dir, name := path.Split(script)
	if name == job+".SC" {
		return dir + "%j.SC"
	}
	parent, own := path.Split(path.Clean(dir))
	if digits, ok := strings.CutPrefix(own, "job"); ok && name == "slurm_script" && strings.TrimLeft(digits, "0") == job {
		return parent + "job%j/" + name
	}
	return script
}

// command finds or makes the row of a command line, 0 for none. A text that was
// not used for long is stored again: an index to find it by would be written at a
// random place for each new text, a third of all pages that a batch writes, and
// take more room than the texts that are there twice (docs/index.md, "Texts").
func (t *txn) command(line []byte, day int64) (int64, error) {
	if len(line) == 0 {
		return 0, nil
	}
	// Users choose the text: only a hash that nobody can steer may stand for it.
	sum := sha256.Sum256(line)
	k := [16]byte(sum[:])
	d, ok := t.w.cache.commands.get(k)
	if !ok {
		d = &dated{day: day}
		var err error
		if d.id, err = t.insert("INSERT INTO t_command (day, text) VALUES (?, ?)", day, string(line)); err != nil {
			return 0, err
		}
		t.w.cache.commands.put(k, d)
	}
	if t.w.used != nil { // or a Prune that goes on would take it for one of no run
		t.w.used.add(d.id)
	}
	return d.id, t.touch("UPDATE t_command SET day = ? WHERE id = ?", d, day)
}

// usedDays is how far the day of last use of a program or text may be behind.
const usedDays = 7

// touch moves a row's day of last use, once in usedDays: else every row is
// written every day, at random places.
func (t *txn) touch(query string, d *dated, day int64) error {
	if day < d.day+usedDays {
		return nil
	}
	d.day = day
	err := t.exec(query, day, d.id)
	return err
}

func hashOf(args []any) int64 {
	h := sha256.New()
	for _, a := range args {
		switch v := a.(type) {
		case string:
			binary.Write(h, binary.LittleEndian, int64(len(v)))
			h.Write([]byte(v))
		case int64:
			binary.Write(h, binary.LittleEndian, v)
		default:
			binary.Write(h, binary.LittleEndian, int64(-1))
		}
	}
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)))
}
