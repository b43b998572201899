// burn uses CPU time, memory or a disk, and says how much:
//
//	burn cpu MS TAG           one thread
//	burn threads N MS TAG     N threads together, ended by exit_group
//	burn leader MS TAG        a thread that outlives the first one
//	burn pool N MS TAG        N forked children, MS each
//	burn orphan MS TAG        a forked child that outlives the first process
//	burn chain MS MS2 TAG     itself, then as "burn cpu MS2 TAG-second"
//	burn steps N MS TAG       N times: itself and a forked child, MS each; then
//	                          it says so and waits for a line
//	burn rss MIB TAG          memory
//	burn rsschain MIB TAG     memory, then as "burn cpu 10 TAG-second"
//	burn disk FILE MIB TAG    writes and reads a file
//
// It prints lines of a word and a number: "start" is the CPU time in ns of its
// process when main began, which belongs to what was there before.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(1);
	}
}

static long long cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void say(const char *word, long long value)
{
	printf("%s %lld\n", word, value);
	fflush(stdout);
}

static void burn(long long until)
{
	while (cpu() < until)
		for (volatile int i = 0; i < 10000; i++)
			;
}

static long long ms(const char *text) { return atoll(text) * 1000000; }

static void *until(void *at)
{
	burn(*(long long *)at);
	syscall(SYS_exit_group, 0);
	return NULL;
}

static void threads(int n, long long at)
{
	pthread_t t;
	for (int i = 0; i < n; i++)
		must(!pthread_create(&t, NULL, until, &at), "thread");
	for (;;)
		pause();
}

static void leader(long long at)
{
	static long long end;
	pthread_t t;
	end = at;
	must(!pthread_create(&t, NULL, until, &end), "thread");
	syscall(SYS_exit, 0);
}

static void pool(int n, long long each)
{
	for (int i = 0; i < n; i++)
		if (!fork()) {
			burn(cpu() + each);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

static void steps(int n, long long each)
{
	for (int i = 0; i < n; i++) {
		pool(1, each);
		burn(cpu() + each);
		say("step", i);
		if (getchar() == EOF)
			return;
	}
}

static void orphan(long long each)
{
	pid_t parent = getpid();
	if (fork())
		_exit(0);
	while (getppid() == parent)
		usleep(1000);
	burn(cpu() + each);
	say("child", cpu());
	_exit(0);
}

static void touch(size_t bytes)
{
	char *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(m != MAP_FAILED, "memory");
	memset(m, 1, bytes);
}

static void again(const char *amount, const char *tag)
{
	char second[200];
	snprintf(second, sizeof second, "%s-second", tag);
	say("first", cpu());
	execl("/proc/self/exe", "burn", "cpu", amount, second, NULL);
	must(0, "exec");
}

static void disk(const char *path, int mib)
{
	enum { block = 1 << 20 };
	char *m = mmap(NULL, block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	must(m != MAP_FAILED && fd >= 0, path);
	for (int i = 0; i < mib; i++)
		must(write(fd, m, block) == block, "write");
	must(!fsync(fd) && !close(fd), "fsync");
	fd = open(path, O_RDONLY | O_DIRECT);
	must(fd >= 0, "open with O_DIRECT");
	for (int i = 0; i < mib; i++)
		must(read(fd, m, block) == block, "read with O_DIRECT");
	char word[64];
	long long value;
	FILE *io = fopen("/proc/self/io", "r");
	must(io != NULL, "/proc/self/io");
	while (fscanf(io, "%63s %lld", word, &value) == 2)
		say(word, value);
}

int main(int argc, char **argv)
{
	long long start = cpu();
	if (argc < 4)
		return 2;
	const char *mode = argv[1], *tag = argv[argc - 1];
	say("start", start);
	if (!strcmp(mode, "cpu"))
		burn(ms(argv[2]) + start);
	else if (!strcmp(mode, "threads"))
		threads(atoi(argv[2]), ms(argv[3]));
	else if (!strcmp(mode, "leader"))
		leader(ms(argv[2]));
	else if (!strcmp(mode, "pool"))
		pool(atoi(argv[2]), ms(argv[3]));
	else if (!strcmp(mode, "steps"))
		steps(atoi(argv[2]), ms(argv[3]));
	else if (!strcmp(mode, "orphan"))
		orphan(ms(argv[2]));
	else if (!strcmp(mode, "chain"))
		burn(ms(argv[2])), again(argv[3], tag);
	else if (!strcmp(mode, "rss"))
		touch((size_t)atoi(argv[2]) << 20);
	else if (!strcmp(mode, "rsschain"))
		touch((size_t)atoi(argv[2]) << 20), again("10", tag);
	else if (!strcmp(mode, "disk"))
		disk(argv[2], atoi(argv[3]));
	else
		return 2;
	return 0;
}
