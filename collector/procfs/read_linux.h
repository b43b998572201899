// Reading one process from /proc. In C because the process connector's readers
// run outside Go's scheduler: see collector/procconn/reader_linux.h.
#ifndef PROCMON_PROCFS_READ_H
#define PROCMON_PROCFS_READ_H

#include <stddef.h>
#include <stdint.h>

// The sections of what is read, in the order in which it is read: what vanishes
// first when a process exits comes first. raw.go has the same list.
enum {
	PROCFS_ARGS,
	PROCFS_ENV,
	PROCFS_EXE,
	PROCFS_CWD,
	PROCFS_MNT,
	PROCFS_CGROUP,
	PROCFS_STAT,
	PROCFS_STATUS,
	PROCFS_SECTIONS
};

// The most that is read of a small file; the rest is cut. A cgroup file has up to
// 16 lines of at most a path's length each, mostly far less.
enum {
	PROCFS_MAX_CGROUP = 16 << 10,
	PROCFS_MAX_SMALL = 4 << 10,
	PROCFS_MAX_LINK = 4 << 10,
	PROCFS_SCRATCH = 64 << 10,
	// The kernel lets arguments and environment together be 6 MiB at most
	// (fs/exec.c, 3/4 of _STK_LIM): reading stops there even if the process
	// rewrites its memory behind the read.
	PROCFS_MAX_AREA = 6 << 20,
};

// procfs_rule says whether one variable, or all whose names begin so, is kept.
struct procfs_rule {
	const char *name;
	uint32_t length;
	uint8_t prefix, drop;
};

// procfs_raw is one process as it was read: raw.go takes it apart.
struct procfs_raw {
	int32_t pid;
	uint32_t args_bytes, args_count;
	uint32_t lacks; // of missing
	uint32_t size[PROCFS_SECTIONS];
	char data[]; // the sections, one behind the other
};

// procfs_reader reads processes, one at a time. It allocates nothing.
struct procfs_reader {
	int root;                         // descriptor of /proc
	uint32_t max_args;                // bytes to keep of an argument list
	uint32_t max_env, max_variable;   // bytes to keep of an environment, of one variable
	uint32_t missing[PROCFS_SECTIONS]; // what to say when a section can't be read
	uint32_t first[257];              // first[c] to first[c+1]: the rules for names that begin with c
	struct procfs_rule *rules;
	char *scratch;
	struct procfs_raw *raw;           // what the last read gave
	uint32_t length;                  // of its data
};

// procfs_read copies the process's files. It gives 0 or an errno; ENOENT and
// ESRCH: there is no such process.
int procfs_read(struct procfs_reader *r, int32_t pid);

#endif
