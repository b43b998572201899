// hide starts programs in the ways in which one can try not to be seen:
//
//	hide MODE [NUMBER] PROGRAM [ARGUMENT...]
//
// and, with MODE probe, rewrite or unlink, it is the program that is started:
// it tells the socket that $PROBE names ("SOCKET TAG") that it runs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(1);
	}
}

// report says in an abstract socket, which knows the sender's pid, that this
// process runs.
static void report(void)
{
	char name[100], tag[100];
	const char *probe = getenv("PROBE");
	if (!probe || sscanf(probe, "%99s %99s", name, tag) != 2) {
		fputs("hide: no $PROBE\n", stderr);
		_exit(1);
	}
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path + 1, name, strlen(name));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	must(!connect(fd, (void *)&a, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)), "connect");
	must(write(fd, tag, strlen(tag)) > 0, "tell");
}

// rewrite writes over the arguments and the name that the kernel shows.
static void rewrite(int argc, char **argv)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]);
	memset(argv[0], 'x', end - argv[0]);
	prctl(PR_SET_NAME, "kworker/0:1");
}

static void await(void)
{
	int status, bad = 0;
	while (wait(&status) > 0 || errno == EINTR)
		bad |= status;
	_exit(bad != 0);
}

static void at_fd(int fd, char **argv)
{
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	must(0, "execveat");
}

static void *thread(void *argv)
{
	execv(*(char **)argv, argv);
	must(0, "exec in a thread");
	return NULL;
}

static void from_memory(char **argv)
{
	struct stat st;
	int from = open(*argv, O_RDONLY | O_CLOEXEC), to = memfd_create("libc.so.6", MFD_CLOEXEC);
	must(from >= 0 && to >= 0 && !fstat(from, &st), "memfd");
	for (off_t done = 0; done < st.st_size;)
		must(sendfile(to, from, &done, st.st_size - done) > 0, "copy");
	at_fd(to, argv);
}

// sibling makes the program a child of its parent's parent.
static void sibling(char **argv)
{
	if (fork())
		await();
	struct clone_args a = { .flags = CLONE_PARENT };
	long pid = syscall(SYS_clone3, &a, sizeof a);
	must(pid >= 0, "clone");
	if (!pid)
		thread(argv);
	_exit(0);
}

// deep goes down where no path of PATH_MAX bytes leads, and runs a link there.
static void deep(char **argv)
{
	char name[201];
	int program = open(*argv, O_PATH);
	memset(name, 'd', 200);
	name[200] = 0;
	for (int i = 0; i < 25; i++)
		must((!mkdir(name, 0755) || errno == EEXIST) && !chdir(name), "deep directory");
	char self[64];
	snprintf(self, sizeof self, "/proc/self/fd/%d", program);
	must(!linkat(AT_FDCWD, self, AT_FDCWD, "program", AT_SYMLINK_FOLLOW), "link");
	execv("./program", argv);
	must(0, "exec");
}

// large gives the program an environment of 300 KiB before its own last
// variable.
static void large_environment(char **argv)
{
	enum { count = 300 };
	static char *env[count + 3], text[count][1024], probe[256];
	int n = 0;
	snprintf(probe, sizeof probe, "PROBE=%s", getenv("PROBE"));
	env[n++] = probe;
	for (int i = 0; i < count; i++) {
		memset(text[i], 'e', sizeof text[i] - 1);
		memcpy(text[i], "FILLER=", 7);
		env[n++] = text[i];
	}
	env[n++] = "SLURM_JOB_NAME=behind";
	execve(*argv, argv, env);
	must(0, "exec");
}

// long_arguments adds 1.5 MiB of arguments.
static void long_arguments(int argc, char **argv)
{
	enum { count = 12, size = 128 << 10 };
	char **all = calloc(argc + count + 1, sizeof *all), *text = malloc(size);
	must(all && text, "memory");
	memcpy(all, argv, argc * sizeof *all);
	memset(text, 'a', size - 1);
	text[size - 1] = 0;
	for (int i = 0; i < count; i++)
		all[argc + i] = text;
	execv(*all, all);
	must(0, "exec");
}

static void chain(char **all, int argv)
{
	char left[16];
	int n = atoi(all[2]);
	if (n == 0)
		execv(all[argv], all + argv);
	snprintf(left, sizeof left, "%d", n - 1);
	all[2] = left;
	execv("/proc/self/exe", all);
	must(0, "exec");
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "probe"; // without arguments: as the target of bare
	char **target = argv + 2;
	if (!strcmp(mode, "rewrite")) {
		rewrite(argc, argv);
		report();
	} else if (!strcmp(mode, "unlink")) {
		must(!unlink(argv[0]), "unlink");
		report();
	} else if (argc < 3 || !strcmp(mode, "probe")) {
		report();
	} else if (!strcmp(mode, "fd")) {
		char path[64];
		int fd = open(*target, O_RDONLY);
		must(fd >= 0, *target);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		execv(path, target);
		must(0, path);
	} else if (!strcmp(mode, "fexec") || !strcmp(mode, "deleted")) {
		int fd = open(*target, O_RDONLY | O_CLOEXEC);
		must(fd >= 0, *target);
		must(mode[0] != 'd' || !unlink(*target), "unlink");
		at_fd(fd, target);
	} else if (!strcmp(mode, "memfd")) {
		from_memory(target);
	} else if (!strcmp(mode, "vfork")) {
		pid_t pid = vfork();
		if (!pid) {
			execv(*target, target);
			_exit(1);
		}
		await();
	} else if (!strcmp(mode, "spawn")) {
		must(!posix_spawn(&(pid_t){ 0 }, *target, NULL, NULL, target, environ), "spawn");
		await();
	} else if (!strcmp(mode, "sibling")) {
		sibling(target);
	} else if (!strcmp(mode, "thread")) {
		pthread_t t;
		must(!pthread_create(&t, NULL, thread, target), "thread");
		pthread_join(t, NULL);
	} else if (!strcmp(mode, "bare")) {
		execve(*target, (char *[]){ NULL }, environ);
		must(0, "exec");
	} else if (!strcmp(mode, "deep")) {
		deep(target);
	} else if (!strcmp(mode, "environment")) {
		large_environment(target);
	} else if (!strcmp(mode, "arguments")) {
		long_arguments(argc - 2, target);
	} else if (!strcmp(mode, "chain")) {
		chain(argv, 3);
	} else {
		fprintf(stderr, "hide: no mode %s\n", mode);
		return 2;
	}
	return 0;
}
