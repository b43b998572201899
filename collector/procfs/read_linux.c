#define _GNU_SOURCE
#include "read_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// keep_read reads what there is of a file, up to room bytes. A short read is the
// end: the kernel fills the buffer as far as it can (fs/proc/base.c).
static size_t keep_read(int fd, char *to, size_t room)
{
	ssize_t n = read(fd, to, room);
	return n > 0 ? (size_t)n : 0;
}

static void count_args(struct procfs_reader *r, const char *b, size_t n)
{
	r->raw->args_bytes += n;
	for (size_t i = 0; i < n; i++)
		r->raw->args_count += b[i] == 0;
}

// read_args reads the argument list up to what is kept of it. A longer one stays
// open, to be counted when everything else is read: it takes its time. last is
// the last byte read.
static int read_args(struct procfs_reader *r, int dir, char *last)
{
	int fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r->raw->lacks |= r->missing[PROCFS_ARGS];
		return -1;
	}
	size_t n = keep_read(fd, r->raw->data, r->max_args);
	count_args(r, r->raw->data, n);
	r->length = r->raw->size[PROCFS_ARGS] = n;
	if (n > 0)
		*last = r->raw->data[n - 1];
	else
		r->raw->lacks |= r->missing[PROCFS_ARGS]; // a zombie's is empty; since Linux 5.18 a process has one argument at least
	if (n == r->max_args)
		return fd;
	close(fd);
	r->raw->args_count += *last != 0; // a last argument that lacks its NUL
	return -1;
}

// count_rest counts what was not kept of a long argument list, and looks whether
// the process outlived that.
static void count_rest(struct procfs_reader *r, int dir, int fd, char last)
{
	size_t n;
	while (r->raw->args_bytes < PROCFS_MAX_AREA && (n = keep_read(fd, r->scratch, PROCFS_SCRATCH)) > 0) {
		count_args(r, r->scratch, n);
		last = r->scratch[n - 1];
	}
	close(fd);
	r->raw->args_count += last != 0;
	if (readlinkat(dir, "exe", r->scratch, PROCFS_MAX_LINK) < 0)
		r->raw->lacks |= r->missing[PROCFS_ARGS];
}

// keeps says whether a variable, given as NAME=VALUE, is kept.
static int keeps(const struct procfs_reader *r, const char *v, size_t n)
{
	if (n == 0)
		return 0;
	unsigned char c = (unsigned char)v[0];
	for (uint32_t i = r->first[c]; i < r->first[c + 1]; i++) {
		const struct procfs_rule *rule = &r->rules[i];
		if (n <= rule->length || memcmp(v, rule->name, rule->length) != 0)
			continue;
		if (v[rule->length] == '=' || (rule->prefix && memchr(v + rule->length, '=', n - rule->length)))
			return !rule->drop;
	}
	return 0;
}

static void add_variable(struct procfs_reader *r, const char *v, size_t n)
{
	if (!keeps(r, v, n))
		return;
	if (n > r->max_variable)
		n = r->max_variable;
	if (r->raw->size[PROCFS_ENV] + n + 1 > r->max_env)
		return;
	memcpy(r->raw->data + r->length, v, n);
	r->raw->data[r->length + n] = 0;
	r->length += n + 1;
	r->raw->size[PROCFS_ENV] += n + 1;
}

// read_env reads the environment and keeps what the rules let through.
static void read_env(struct procfs_reader *r, int dir)
{
	int fd = openat(dir, "environ", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r->raw->lacks |= r->missing[PROCFS_ENV];
		return;
	}
	char *s = r->scratch;
	size_t have = 0, total = 0;
	int skip = 0; // inside a variable that was too long for the buffer
	for (int more = 1; more && total < PROCFS_MAX_AREA;) {
		size_t room = PROCFS_SCRATCH - have;
		ssize_t n = read(fd, s + have, room);
		if (n < 0) {
			r->raw->lacks |= r->missing[PROCFS_ENV];
			break;
		}
		more = (size_t)n == room;
		total += n;
		have += n;
		size_t used = 0;
		for (char *end; (end = memchr(s + used, 0, have - used)) != NULL; used = end + 1 - s, skip = 0)
			if (!skip)
				add_variable(r, s + used, end - (s + used));
		if (used == 0 && have == PROCFS_SCRATCH) { // one variable fills the buffer: keep its beginning
			if (!skip)
				add_variable(r, s, r->max_variable);
			skip = 1;
			used = have;
		}
		memmove(s, s + used, have - used);
		have -= used;
	}
	close(fd);
	if (have > 0 && !skip)
		add_variable(r, s, have);
}

static void read_link(struct procfs_reader *r, int dir, int section, const char *name)
{
	ssize_t n = readlinkat(dir, name, r->raw->data + r->length, PROCFS_MAX_LINK);
	if (n < 0) {
		r->raw->lacks |= r->missing[section];
		return;
	}
	r->raw->size[section] = n;
	r->length += n;
}

// read_small reads a file that comes whole in one read (single_open in
// fs/proc/base.c).
static void read_small(struct procfs_reader *r, int dir, int section, const char *name, size_t most)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	if (fd >= 0) {
		n = keep_read(fd, r->raw->data + r->length, most);
		close(fd);
	}
	if (n == 0)
		r->raw->lacks |= r->missing[section];
	r->raw->size[section] = n;
	r->length += n;
}

int procfs_read(struct procfs_reader *r, int32_t pid)
{
	char name[16], last = 0;
	snprintf(name, sizeof name, "%d", pid);
	int dir = openat(r->root, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno;
	memset(r->raw, 0, sizeof *r->raw);
	r->raw->pid = pid;
	r->length = 0;
	int rest = read_args(r, dir, &last);
	read_env(r, dir);
	read_link(r, dir, PROCFS_EXE, "exe");
	// The address space may have gone while the arguments were read: they count
	// as whole only if it was still there afterwards.
	if (r->raw->lacks & r->missing[PROCFS_EXE])
		r->raw->lacks |= r->missing[PROCFS_ARGS];
	read_link(r, dir, PROCFS_CWD, "cwd");
	read_link(r, dir, PROCFS_MNT, "ns/mnt");
	read_small(r, dir, PROCFS_CGROUP, "cgroup", PROCFS_MAX_CGROUP);
	read_small(r, dir, PROCFS_STAT, "stat", PROCFS_MAX_SMALL);
	read_small(r, dir, PROCFS_STATUS, "status", PROCFS_MAX_SMALL);
	if (rest >= 0)
		count_rest(r, dir, rest, last);
	close(dir);
	// Reaped between the open and the reads: whose it was is not known.
	return r->raw->lacks & r->missing[PROCFS_STATUS] ? ESRCH : 0;
}
