// SPDX-License-Identifier: GPL-2.0
/*
 * Sees every execve, keeps the books of each run, and tells both through a
 * ring. A run owns its process and every process forked from it until that one
 * execs: a child is given its parent's run when it is forked, so that no event
 * is needed for it.
 *
 * Works from Linux 5.17 (bpf_loop), or a vendor's kernel with that backported.
 * The licence is what the kernel asks of programs that read its memory.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "records.h"

char LICENSE[] SEC("license") = "GPL";

/* Set before loading. */
const volatile __u32 generation; /* of this procmond's programs, see control */
const volatile __u32 args_max = 32 << 10;
const volatile __u32 env_max = 64 << 10;

#define AREA_MAX (64 << 10) /* bounds args_max and env_max */
#define PATH_ROOM (4 << 10)
#define NAME_ROOM 256
#define CGROUPS_ROOM (24 << 10)
#define MAX_NAMES 512 /* of a path; a power of two */
#define MAX_STEPS 4096
#define MAX_HIERARCHIES 24
#define MAX_ANCESTORS 16
#define MAX_THREADS 4096
#define TAIL_ROOM (2 * PATH_ROOM + CGROUPS_ROOM + MAX_ANCESTORS * sizeof(struct ancestor) + 4 * NAME_ROOM)

/* Where one CPU puts a record together, and what its loops go on with: state
 * on the stack costs the verifier a million steps. */
struct scratch {
	__u64 names[MAX_NAMES]; /* the last names of a path, from its end on */
	__u64 dentry, mount, node, list, head;
	__u32 count; /* of names */
	__u32 off;   /* in data */
	__u32 limit; /* for off */
	__u32 cut;
	struct counters sum;
	struct exec_record exec;
	char data[2 * AREA_MAX + TAIL_ROOM];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs, set by the loader */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* set by the loader */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct run_id);
	__type(value, struct run);
} runs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct process);
} processes SEC(".maps");

/* What processes were in whose leader has ended before another of their
 * threads, which may exec and become the leader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct process);
} leaderless SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} excluded SEC(".maps"); /* real user ids */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

/* What procmond has told of counts: it writes here, and nobody else. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* COUNTERS for each possible CPU, then misses for each program; set by the loader */
	__type(key, __u32);
	__type(value, __u64);
} told SEC(".maps");

/* Where records begin in the ring, at some distance from each other, so that
 * those that were read can be read again: procmond's, too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} places SEC(".maps");

/* The generation that works. A new procmond attaches its programs beside the
 * old ones and then takes over with one write. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} control SEC(".maps");

static __always_inline bool working(void)
{
	__u32 zero = 0;
	__u32 *now = bpf_map_lookup_elem(&control, &zero);

	return now && *now == generation;
}

static __always_inline void count(__u32 what, __u64 at)
{
	struct count *c = bpf_map_lookup_elem(&counts, &what);

	if (!c)
		return;
	if (at - c->last > BURST)
		c->first = at;
	c->last = at;
	c->n++;
}

static __always_inline bool is_excluded(__u32 uid)
{
	return bpf_map_lookup_elem(&excluded, &uid) != NULL;
}

static __always_inline struct scratch *my_scratch(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratches, &cpu);
}

/* READ is a field of a struct at an address: where the kernel has
 * bpf_rdonly_cast (Linux 6.2) a plain load, which takes a third off an execve's
 * cost, else the helper that BPF_CORE_READ calls. Both give 0 for a bad address. */
extern void *bpf_rdonly_cast(void *address, __u32 type) __ksym __weak;

#define READ(type, address, field)                                                                           \
	(bpf_rdonly_cast ? (__u64)((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))->field : \
			   (__u64)BPF_CORE_READ((type *)(address), field))

/* So that the types are in the object's BTF, from which Go's are made. */
const struct ancestor *unused_ancestor __attribute__((unused));
const struct live *unused_live __attribute__((unused));
const struct over_record *unused_over __attribute__((unused));

/* tell wakes the reader early when it lingers over a quarter full ring. */
static __always_inline bool tell(void *record, __u64 size, __u64 at)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	__u64 quarter = bpf_ringbuf_query(&ring, 1 /* BPF_RB_RING_SIZE */) / 4;
	__u64 flags = 0; /* wakes it when it has read all before this */

	if (waiting < quarter && waiting + size >= quarter)
		flags = BPF_RB_FORCE_WAKEUP;
	if (!bpf_ringbuf_output(&ring, record, size, flags))
		return true;
	count(COUNT_DROPPED, at);
	return false;
}

/* A process's counters so far, when all threads but p have been added up. */
static __always_inline void read_counters(struct task_struct *p, bool with_p, struct counters *c)
{
	struct signal_struct *s = p->signal;

	c->cpu = s->sum_sched_runtime;
	c->user = s->utime;
	c->system = s->stime;
	c->rss = s->maxrss;
	c->read = c->write = 0;
	if (bpf_core_field_exists(s->ioac)) {
		c->read = s->ioac.read_bytes;
		c->write = s->ioac.write_bytes;
	}
	if (!with_p)
		return;
	c->cpu += p->se.sum_exec_runtime;
	c->user += p->utime;
	c->system += p->stime;
	if (bpf_core_field_exists(p->ioac)) {
		c->read += p->ioac.read_bytes;
		c->write += p->ioac.write_bytes;
	}
}

/* The part of leave that the run's lock guards. Counters never fall, but
 * threads that end may be read between two sums. */
static __always_inline void book(struct run *r, struct process *p, struct counters *now, bool bound)
{
	r->used.cpu += now->cpu > p->since.cpu ? now->cpu - p->since.cpu : 0;
	r->used.user += now->user > p->since.user ? now->user - p->since.user : 0;
	r->used.system += now->system > p->since.system ? now->system - p->since.system : 0;
	r->used.read += now->read > p->since.read ? now->read - p->since.read : 0;
	r->used.write += now->write > p->since.write ? now->write - p->since.write : 0;
	if (now->rss > r->used.rss) {
		r->used.rss = now->rss;
		r->flags = bound ? r->flags | RUN_RSS_BOUND : r->flags & ~RUN_RSS_BOUND;
	}
}

/* The sums of what exited processes used; maxima are not moved. */
static __always_inline void move(struct counters *to, struct counters *c, __s64 sign)
{
	to->cpu += sign * c->cpu;
	to->user += sign * c->user;
	to->system += sign * c->system;
	to->read += sign * c->read;
	to->write += sign * c->write;
}

static __always_inline void tell_over(struct over *to, struct run *r)
{
	to->flags = r->flags;
	to->wait = r->wait;
	to->cpu = r->cpu;
	to->last = r->last;
	to->used = r->used;
}

/* leave books what a process used for its run and takes it from there; over
 * is filled and true returned when it was the last one. */
static __always_inline bool leave(struct process *p, struct counters *now, bool bound, __u64 at,
				  bool waited, __u32 wait, struct over *over)
{
	struct run *r = bpf_map_lookup_elem(&runs, &p->run);
	bool last;

	if (!r) { /* there was no room for its books: of its first process this much is known */
		struct run own = {};

		if (!p->first)
			return false;
		book(&own, p, now, bound);
		own.flags |= waited ? RUN_WAITED : 0;
		own.wait = wait;
		own.last = at;
		own.cpu = bpf_get_smp_processor_id();
		tell_over(over, &own);
		return true;
	}
	bpf_spin_lock(&r->lock);
	book(r, p, now, bound);
	if (p->first && waited) {
		r->flags |= RUN_WAITED;
		r->wait = wait;
	}
	if (!p->exited) {
		r->alive--;
		r->last = at;
	}
	r->unfreed--;
	move(&r->pending, &p->pending, -1);
	last = r->unfreed == 0;
	if (last) {
		r->flags |= RUN_OVER;
		tell_over(over, r);
	}
	bpf_spin_unlock(&r->lock);
	return last;
}

static __always_inline void fill_head(struct head *h, __u32 kind, __u64 at, struct run_id *run)
{
	h->kind = kind;
	h->cpu = bpf_get_smp_processor_id();
	h->time = at;
	h->run = *run;
}

/* Notes one name of a path; the last MAX_NAMES are kept. */
static __always_inline void note_name(struct scratch *s, __u64 name)
{
	s->names[s->count & (MAX_NAMES - 1)] = name;
	s->count++;
}

static long up_path(__u32 i, void *unused)
{
	struct scratch *s = my_scratch();
	__u64 d, m, up;

	if (!s)
		return 1;
	d = s->dentry;
	m = s->mount;
	if (d == READ(struct mount, m, mnt.mnt_root)) {
		up = READ(struct mount, m, mnt_parent);
		if (up == m || !up)
			return 1;
		s->dentry = READ(struct mount, m, mnt_mountpoint);
		s->mount = up;
		return 0;
	}
	up = READ(struct dentry, d, d_parent);
	note_name(s, READ(struct dentry, d, d_name.name));
	if (up == d || !up)
		return 1; /* a file of no directory, such as a memfd */
	s->dentry = up;
	return 0;
}

static long up_cgroup(__u32 i, void *unused)
{
	struct scratch *s = my_scratch();
	__u64 n, parent;

	if (!s)
		return 1;
	n = s->node;
	if (bpf_core_field_exists(((struct kernfs_node *)0)->__parent))
		parent = READ(struct kernfs_node, n, __parent);
	else
		parent = READ(struct kernfs_node___before_6_15, n, parent);
	if (!parent)
		return 1; /* the root has no name */
	note_name(s, READ(struct kernfs_node, n, name));
	s->node = parent;
	return 0;
}

/* Writes one name, the topmost first. */
static long put_name(__u32 i, void *unused)
{
	struct scratch *s = my_scratch();
	__u32 off;
	long n;

	if (!s || i >= s->count || i >= MAX_NAMES)
		return 1;
	off = s->off;
	if (off >= s->limit || off >= sizeof(s->data) - 2 * NAME_ROOM) {
		s->cut = 1;
		return 1;
	}
	s->data[off] = '/';
	n = bpf_probe_read_kernel_str(&s->data[off + 1], NAME_ROOM, (void *)s->names[(s->count - 1 - i) & (MAX_NAMES - 1)]);
	if (n < 0) {
		s->cut = 1;
		return 1;
	}
	s->off = off + n; /* the NUL gives its place to the next slash */
	return 0;
}

/* Writes the path that was noted in so many steps; returns its length. */
static __always_inline __u32 put_path(struct scratch *s, long steps)
{
	__u32 start = s->off;

	s->limit = start + PATH_ROOM - NAME_ROOM;
	s->cut = s->count > MAX_NAMES || steps >= MAX_STEPS;
	if (!s->count) {
		if (start < sizeof(s->data)) {
			s->data[start] = '/';
			s->off = start + 1;
		}
		return 1;
	}
	bpf_loop(MAX_NAMES, put_name, NULL, 0);
	return s->off - start;
}

static __always_inline __u32 put_file_path(struct scratch *s, struct path *p)
{
	s->count = 0;
	s->dentry = READ(struct path, p, dentry);
	s->mount = READ(struct path, p, mnt) - bpf_core_field_offset(struct mount, mnt);
	return put_path(s, bpf_loop(MAX_STEPS, up_path, NULL, 0));
}

/* Writes the path of one cgroup, but of none that is its hierarchy's root. */
static long put_cgroup(__u32 i, void *unused)
{
	struct scratch *s = my_scratch();
	__u64 link, c, root;
	__u32 off, id;
	long steps;

	if (!s || s->list == s->head)
		return 1;
	link = s->list - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
	s->list = READ(struct cgrp_cset_link, link, cgrp_link.next);
	c = READ(struct cgrp_cset_link, link, cgrp);
	root = READ(struct cgroup, c, root);
	if (c == root + bpf_core_field_offset(struct cgroup_root, cgrp))
		return 0;
	s->node = READ(struct cgroup, c, kn);
	s->count = 0;
	steps = bpf_loop(MAX_STEPS, up_cgroup, NULL, 0);
	if (!s->count)
		return 0;
	off = s->off;
	if (off >= 2 * AREA_MAX + 2 * PATH_ROOM + CGROUPS_ROOM - PATH_ROOM - 8) {
		s->exec.flags |= EXEC_CGROUP_CUT;
		return 1;
	}
	id = READ(struct cgroup_root, root, hierarchy_id);
	__builtin_memcpy(&s->data[off], &id, sizeof(id));
	s->off = off + sizeof(id);
	put_path(s, steps);
	if (s->cut)
		s->exec.flags |= EXEC_CGROUP_CUT;
	off = s->off;
	if (off < sizeof(s->data))
		s->data[off] = 0;
	s->off = off + 1;
	return 0;
}

/* Typed pointers all the way: the kernel loads through them without a call. */
static __always_inline __u32 put_ancestors(struct scratch *s, struct task_struct *t)
{
	__u64 off = s->off;
	__u32 n;

	for (n = 0; n < MAX_ANCESTORS; n++) {
		struct ancestor *a;

		t = t->real_parent->group_leader;
		asm volatile("" : "+r"(off));
		if (!t->tgid || off > sizeof(s->data) - 2 * sizeof(*a))
			break;
		a = (void *)&s->data[off];
		a->pid = t->tgid;
		a->start = t->start_boottime;
		a->uid = t->cred->uid.val;
		__builtin_memcpy(a->comm, t->comm, sizeof(a->comm));
		off += sizeof(*a);
	}
	s->off = off;
	return n;
}

/* Copies one area of the process's memory, its beginning at least; false when
 * it could not be read. */
static __always_inline bool copy_area(struct scratch *s, unsigned long from, __u32 bytes, __u32 max, __u32 *copied)
{
	__u32 off = s->off, n = bytes < max ? bytes : max;

	*copied = 0;
	if (n >= AREA_MAX)
		n = AREA_MAX - 1;
	if (off > AREA_MAX)
		return false;
	asm volatile("" : "+r"(n));
	n &= AREA_MAX - 1;
	if (bpf_probe_read_user(&s->data[off], n, (void *)from))
		return false;
	*copied = n;
	s->off = off + n;
	return true;
}

static __always_inline void put_ids(struct exec_record *e, struct task_struct *p)
{
	struct signal_struct *sig = p->signal;
	struct pid *pid = p->thread_pid;
	struct tty_struct *tty = sig->tty;
	__u32 level = pid->level;
	__u64 ns, upid = (__u64)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);

	e->ppid = p->real_parent->tgid;
	e->uid = p->cred->uid.val;
	e->euid = p->cred->euid.val;
	e->gid = p->cred->gid.val;
	e->loginuid = bpf_core_field_exists(p->loginuid) ? p->loginuid.val : (__u32)-1;
	e->sid = READ(struct pid, sig->pids[PIDTYPE_SID], numbers[0].nr);
	e->tty = 0;
	if (tty) {
		__u32 major = BPF_CORE_READ(tty, driver, major);
		__u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);

		/* As new_encode_dev has it, and stat's field 7. */
		e->tty = (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
	}
	e->mnt_ns = p->nsproxy->mnt_ns->ns.inum;
	ns = READ(struct upid, upid, ns);
	e->pid_ns = READ(struct pid_namespace, ns, ns.inum);
	__builtin_memcpy(e->comm, p->comm, sizeof(e->comm));
}

static __always_inline void put_texts(struct scratch *s, struct task_struct *p)
{
	struct exec_record *e = &s->exec;
	struct mm_struct *mm = p->mm;
	struct file *exe = mm->exe_file;

	s->off = 0;
	e->args_bytes = mm->arg_end - mm->arg_start;
	e->env_bytes = mm->env_end - mm->env_start;
	if (!copy_area(s, mm->arg_start, e->args_bytes, args_max, &e->args))
		e->flags |= EXEC_NO_ARGS;
	if (!copy_area(s, mm->env_start, e->env_bytes, env_max, &e->env))
		e->flags |= EXEC_NO_ENV;
	if (exe) {
		if (!exe->f_path.dentry->d_hash.pprev)
			e->flags |= EXEC_DELETED;
		e->exe = put_file_path(s, &exe->f_path);
		if (s->cut)
			e->flags |= EXEC_EXE_CUT;
	}
	e->cwd = put_file_path(s, &p->fs->pwd);
	if (s->cut)
		e->flags |= EXEC_CWD_CUT;
	e->cgroups = s->off;
	s->head = (__u64)p->cgroups + bpf_core_field_offset(struct css_set, cgrp_links);
	s->list = (__u64)p->cgroups->cgrp_links.next;
	bpf_loop(MAX_HIERARCHIES, put_cgroup, NULL, 0);
	e->cgroups = s->off - e->cgroups;
	e->ancestors = put_ancestors(s, p);
}

/* What the process was in until now: with its leader, or, when another of its
 * threads called execve and became the leader, left behind by the old one. */
static __always_inline bool take_owner(struct task_struct *p, int old_pid, struct process *was)
{
	struct process *now;
	__u32 tgid = p->tgid;

	if (old_pid == p->tgid) {
		now = bpf_task_storage_get(&processes, p, NULL, 0);
	} else {
		now = bpf_map_lookup_elem(&leaderless, &tgid);
	}
	if (!now || !now->owned)
		return false;
	*was = *now;
	if (old_pid != p->tgid)
		bpf_map_delete_elem(&leaderless, &tgid);
	else
		now->owned = 0;
	return true;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	struct run_id none = {};
	struct process was, *now;
	struct exec_record *e;
	struct scratch *s;
	struct run fresh = {}, *r;
	__u64 at = bpf_ktime_get_boot_ns(), size;
	bool booked;

	if (!working())
		return 0;
	s = my_scratch();
	if (!s)
		return 0;
	e = &s->exec;
	__builtin_memset(e, 0, sizeof(*e));
	read_counters(p, true, &e->before);
	if (take_owner(p, old_pid, &was)) {
		e->flags |= EXEC_OWNED;
		e->owner = was.run;
		if (leave(&was, &e->before, e->before.rss == was.since.rss, at, false, 0, &e->over))
			e->flags |= EXEC_OWNER_OVER;
	}
	put_ids(e, p);
	if (is_excluded(e->uid)) {
		if (e->flags & EXEC_OWNER_OVER) {
			struct over_record o = {};

			fill_head(&o.head, KIND_OVER, at, &e->owner);
			o.over = e->over;
			tell(&o, sizeof(o), at);
		}
		return 0;
	}
	count(COUNT_EXECS, at);
	now = bpf_task_storage_get(&processes, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (now) {
		__builtin_memset(now, 0, sizeof(*now));
		now->run.start = p->start_boottime;
		now->run.exec = at;
		now->run.pid = p->tgid;
		now->owned = now->first = 1;
		now->since = e->before;
		fill_head(&e->head, KIND_EXEC, at, &now->run);
	} else {
		none.start = p->start_boottime;
		none.exec = at;
		none.pid = p->tgid;
		fill_head(&e->head, KIND_EXEC, at, &none);
	}
	fresh.alive = fresh.unfreed = 1;
	fresh.uid = e->uid;
	fresh.cpu = e->head.cpu;
	__builtin_memcpy(fresh.comm, e->comm, sizeof(fresh.comm));
	booked = now && !bpf_map_update_elem(&runs, &e->head.run, &fresh, BPF_ANY);
	if (!booked) {
		e->flags |= EXEC_UNBOOKED;
		count(COUNT_UNBOOKED, at);
	}
	e->argc = bprm->argc;
	put_texts(s, p);
	size = s->off;
	if (size > sizeof(s->data))
		return 0; /* never: the verifier asks */
	asm volatile("" : "+r"(size));
	if (tell(e, sizeof(*e) + size, at))
		return 0;
	if (!booked)
		count(COUNT_LOST, at);
	r = bpf_map_lookup_elem(&runs, &e->head.run);
	if (r) {
		bpf_spin_lock(&r->lock);
		r->flags |= RUN_UNTOLD;
		bpf_spin_unlock(&r->lock);
	}
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct process *up, *p;
	struct run *r;

	if (child->pid != child->tgid || !working())
		return 0;
	up = bpf_task_storage_get(&processes, parent->group_leader, NULL, 0);
	if (!up || !up->owned)
		return 0;
	p = bpf_task_storage_get(&processes, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!p) {
		count(COUNT_NO_CHILD, bpf_ktime_get_boot_ns());
		return 0;
	}
	p->run = up->run;
	p->owned = 1;
	r = bpf_map_lookup_elem(&runs, &p->run);
	if (r) {
		bpf_spin_lock(&r->lock);
		r->alive++;
		r->unfreed++;
		bpf_spin_unlock(&r->lock);
	}
	return 0;
}

/* Adds a thread that is not added up in its process yet. */
static long add_thread(__u32 i, void *unused)
{
	struct scratch *s = my_scratch();
	__u64 t;

	if (!s || s->list == s->head || !s->list)
		return 1;
	t = s->list - bpf_core_field_offset(struct task_struct, thread_node);
	s->list = READ(struct task_struct, t, thread_node.next);
	s->sum.cpu += READ(struct task_struct, t, se.sum_exec_runtime);
	s->sum.user += READ(struct task_struct, t, utime);
	s->sum.system += READ(struct task_struct, t, stime);
	if (bpf_core_field_exists(((struct task_struct *)0)->ioac)) {
		s->sum.read += READ(struct task_struct, t, ioac.read_bytes);
		s->sum.write += READ(struct task_struct, t, ioac.write_bytes);
	}
	return 0;
}

/* What a process has used that exits: in case that it is never seen freed. A
 * CPU that goes offline or comes back still runs RCU's callbacks, and has its
 * tracepoints skipped (cpu_online() in include/linux/tracepoint.h). */
static __always_inline void add_pending(struct process *p, struct task_struct *t, struct counters *c)
{
	struct scratch *s = my_scratch();

	if (!s)
		return;
	read_counters(t, false, &s->sum);
	s->head = (__u64)t->signal + bpf_core_field_offset(struct signal_struct, thread_head);
	s->list = (__u64)t->signal->thread_head.next;
	bpf_loop(MAX_THREADS, add_thread, NULL, 0);
	*c = s->sum;
	move(c, &p->since, -1);
}

/* Keeps what a process is in for those of its threads that go on without their
 * leader. Without room for that it leaves its run now: a thread that execs could
 * not leave it any more, and the run would never be over. */
static __always_inline void leave_behind(struct task_struct *leader, struct process *p)
{
	struct over_record o = {};
	struct counters now;
	__u32 tgid = leader->tgid;
	__u64 at;

	if (!bpf_map_update_elem(&leaderless, &tgid, p, BPF_ANY))
		return;
	at = bpf_ktime_get_boot_ns();
	count(COUNT_NO_CHILD, at);
	read_counters(leader, true, &now);
	p->owned = 0;
	if (!leave(p, &now, now.rss == p->since.rss, at, false, 0, &o.over))
		return;
	fill_head(&o.head, KIND_OVER, at, &p->run);
	tell(&o, sizeof(o), at);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *t)
{
	struct task_struct *leader = t->group_leader;
	struct signal_struct *sig = t->signal;
	struct counters used = {};
	struct over_record o = {};
	struct process *p;
	struct run *r;
	bool all = false;
	__u64 at;

	if (!working())
		return 0;
	p = bpf_task_storage_get(&processes, leader, NULL, 0);
	if (!p || !p->owned)
		return 0;
	if (sig->live.counter != 0) {
		if (t->pid == t->tgid && !(sig->flags & SIGNAL_GROUP_EXIT)) /* else none execs any more */
			leave_behind(t, p);
		return 0;
	}
	at = bpf_ktime_get_boot_ns();
	if (t->mm && bpf_core_field_exists(t->mm->rss_stat[0].count)) {
		/* File, anonymous and shared pages; what is 2 counts swap. */
		__s64 rss = t->mm->rss_stat[0].count + t->mm->rss_stat[1].count + t->mm->rss_stat[3].count;

		p->rss = rss > (__s64)t->mm->hiwater_rss ? rss : t->mm->hiwater_rss;
	}
	r = bpf_map_lookup_elem(&runs, &p->run);
	if (!r)
		return 0;
	add_pending(p, t, &used);
	bpf_spin_lock(&r->lock);
	if (!p->exited) { /* two threads may both be told that none is left */
		p->exited = 1;
		p->pending = used;
		move(&r->pending, &used, 1);
		if (p->rss > r->used.rss) {
			r->used.rss = p->rss;
			r->flags &= ~RUN_RSS_BOUND;
		}
		r->alive--;
		r->last = at;
		if (p->first) {
			r->flags |= RUN_WAITED;
			r->wait = sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code : leader->exit_code;
		}
		all = r->alive == 0;
	}
	bpf_spin_unlock(&r->lock);
	if (!all)
		return 0;
	fill_head(&o.head, KIND_EXITED, at, &p->run);
	tell(&o.head, sizeof(o.head), at);
	return 0;
}

/* The last reference is gone: all threads are added up. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *t)
{
	struct over_record o = {};
	struct counters now;
	struct process *p;
	bool bound;
	__u32 tgid = t->tgid;
	__u64 at;
	__u32 wait;

	if (t->pid != t->tgid || !working())
		return 0;
	p = bpf_task_storage_get(&processes, t, NULL, 0);
	if (!p || !p->owned)
		return 0;
	at = bpf_ktime_get_boot_ns();
	read_counters(t, false, &now);
	bound = now.rss == p->since.rss;
	if (p->rss && bound) {
		now.rss = p->rss;
		bound = false;
	}
	wait = t->signal->flags & SIGNAL_GROUP_EXIT ? t->signal->group_exit_code : t->exit_code;
	p->owned = 0;
	bpf_map_delete_elem(&leaderless, &tgid);
	if (!leave(p, &now, bound, at, true, wait, &o.over))
		return 0;
	fill_head(&o.head, KIND_OVER, at, &p->run);
	tell(&o, sizeof(o), at);
	return 0;
}

/* Tells of every process that is alive or not reaped, and to which run it
 * belongs. One that was there before the programs is given a run: that of the
 * process that it was forked from, or one of its own. */
SEC("iter/task")
int each_process(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task, *parent;
	struct process *p, *up = NULL;
	struct live out = {};
	struct run fresh = {}, *r;

	if (!t || t->pid != t->tgid || t->flags & PF_KTHREAD)
		return 0;
	if (t->__state & TASK_NEW)
		return 0; /* on_fork is still to give it its run: it must not get it twice */
	p = bpf_task_storage_get(&processes, t, NULL, 0);
	if (!p && !(t->flags & PF_EXITING)) {
		__u32 uid = t->cred->uid.val;

		if (is_excluded(uid) || !t->mm)
			return 0;
		/* on_exec gives it its run, or the next turn does when execve fails. */
		if (bpf_core_field_exists(t->in_execve) && BPF_CORE_READ_BITFIELD(t, in_execve))
			return 0;
		parent = t->real_parent;
		if (t->flags & PF_FORKNOEXEC && parent && parent->mm && parent->mm->exe_file && t->mm->exe_file &&
		    parent->mm->exe_file->f_inode == t->mm->exe_file->f_inode) {
			up = bpf_task_storage_get(&processes, parent->group_leader, NULL, 0);
			if (!up && is_excluded(parent->cred->uid.val))
				return 0; /* root's program in a user's name: no run */
		}
		p = bpf_task_storage_get(&processes, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!p || p->owned) /* it has executed something meanwhile */
			return 0;
		if (up && up->owned) {
			p->run = up->run;
		} else {
			p->run.start = t->start_boottime;
			p->run.pid = t->tgid;
			p->first = 1;
			fresh.uid = uid;
			bpf_probe_read_kernel(fresh.comm, sizeof(fresh.comm), &t->comm);
			bpf_map_update_elem(&runs, &p->run, &fresh, BPF_NOEXIST);
		}
		p->owned = 1;
		r = bpf_map_lookup_elem(&runs, &p->run);
		if (r) {
			bpf_spin_lock(&r->lock);
			r->alive++;
			r->unfreed++;
			bpf_spin_unlock(&r->lock);
		}
	}
	if (!p || !p->owned)
		return 0;
	out.run = p->run;
	out.start = t->start_boottime;
	out.pid = t->tgid;
	out.first = p->first;
	out.since = p->since;
	read_counters(t, true, &out.used);
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}
