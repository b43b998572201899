/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the program and procmond exchange: records in the ring, values in maps.
 * collector/bpf/record.go and books.go read the same layouts. A change of any
 * of them needs another LAYOUT there, which is part of the pinned maps' path.
 */
#ifndef PROCMON_RECORDS_H
#define PROCMON_RECORDS_H

/* Times are CLOCK_BOOTTIME in ns. exec is 0 for a run that was found alive. */
struct run_id {
	__u64 start; /* of the process */
	__u64 exec;
	__u32 pid;
	__u32 unused;
};

/* Cumulative over the life of a process; times in ns. */
struct counters {
	__u64 cpu;
	__u64 user;   /* by ticks */
	__u64 system; /* by ticks */
	__u64 read;   /* bytes */
	__u64 write;  /* bytes */
	__u64 rss;    /* maximum, pages */
};

#define RUN_WAITED 1    /* wait holds the first process's status */
#define RUN_OVER 2      /* no process is left */
#define RUN_UNTOLD 4    /* the ring had no room for its execve */
#define RUN_RSS_BOUND 8 /* used.rss may be of an earlier image */

/* The books of one run. */
struct run {
	struct bpf_spin_lock lock;
	__u32 flags;
	__u32 alive;   /* processes that have not exited */
	__u32 unfreed; /* processes whose counters are not booked */
	__u32 wait;
	__u32 uid;
	__u32 cpu; /* where it began */
	__u32 unused;
	__u64 last; /* when it lost a process last */
	struct counters used;    /* of those that are booked */
	struct counters pending; /* of those that have exited and are not, as of their exits */
	__u8 comm[16];
};

/* What a process is in, kept with its leader. */
struct process {
	struct run_id run;
	__u8 owned; /* in a run */
	__u8 first; /* the run began with it */
	__u8 exited;
	__u8 unused[5];
	struct counters since;   /* when the run got it */
	struct counters pending; /* what of the run's is of this one */
	__u64 rss;             /* at its exit, of its last image, pages; 0: not read */
};

enum kind { KIND_EXEC = 1, KIND_EXITED = 2, KIND_OVER = 3 };

struct head {
	__u32 kind;
	__u32 cpu;
	__u64 time;
	struct run_id run;
};

/* A run's end: of KIND_OVER, and of exec's owner when it is over by that. */
struct over {
	__u32 flags;
	__u32 wait;
	__u32 cpu; /* where it began */
	__u32 unused;
	__u64 last;
	struct counters used;
};

struct over_record {
	struct head head;
	struct over over;
};

#define EXEC_DELETED 1    /* the executable has no name any more */
#define EXEC_NO_ARGS 2    /* the arguments could not be read whole */
#define EXEC_NO_ENV 4     /* the environment could not be read whole */
#define EXEC_OWNED 8      /* owner holds the run until now */
#define EXEC_OWNER_OVER 16 /* which is over by that */
#define EXEC_EXE_CUT 32   /* the path is longer than there was room */
#define EXEC_CWD_CUT 64
#define EXEC_CGROUP_CUT 128
#define EXEC_UNBOOKED 256 /* no room for its books */

/* Followed by args, env, exe, cwd, cgroups, ancestors. */
struct exec_record {
	struct head head;
	struct run_id owner;
	struct over over;
	struct counters before;
	__u64 mnt_ns;
	__u64 pid_ns;
	__u32 flags;
	__u32 ppid;
	__u32 sid;
	__u32 tty;
	__u32 uid;
	__u32 euid;
	__u32 gid;
	__u32 loginuid;
	__u32 argc;
	__u32 args_bytes; /* the true lengths */
	__u32 env_bytes;
	__u32 args; /* what follows of each */
	__u32 env;
	__u32 exe;
	__u32 cwd;
	__u32 cgroups; /* bytes: for each a __u32 hierarchy, then its path and NUL */
	__u32 ancestors; /* count */
	__u32 unused;
	__u8 comm[16];
};

/* Nearest first. */
struct ancestor {
	__u64 start;
	__u32 pid;
	__u32 uid;
	__u8 comm[16];
};

/* What the iterator tells of one process. */
struct live {
	struct run_id run;
	__u64 start;
	__u32 pid;
	__u32 first;
	struct counters used; /* now */
	struct counters since;
};

#define COUNT_EXECS 0    /* of users who are not left out */
#define COUNT_DROPPED 1  /* records that the ring had no room for */
#define COUNT_UNBOOKED 2 /* runs that there was no room to keep books of */
#define COUNT_LOST 3     /* of those, the ones that were dropped, too: only this count knows of them */
#define COUNT_NO_CHILD 4 /* processes that could not be given their run, or not be kept in it */
#define COUNTERS 5

#define BURST 1000000000 /* ns without one end a burst */

/* Of one CPU, one kind of event. */
struct count {
	__u64 n;
	__u64 first; /* of the last burst */
	__u64 last;
};

#endif
