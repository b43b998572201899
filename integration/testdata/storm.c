// storm starts programs that end at once, each with an argument of its own:
//
//	storm SPAWNERS COUNT PACE PROGRAM TAG
//
// The arguments are TAG-n0, TAG-n1 and so on. Each spawner starts one program,
// waits for it, and starts the next, PACE µs after the one before at the
// earliest. COUNT 0: it goes on until standard input ends. For each program
// that was started it prints its number and when, from the fork to the end, in
// ns of CLOCK_REALTIME.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most = 1 << 20 };

static struct shared {
	volatile int stop;
	struct {
		long long from, to;
	} run[most];
} *shared;

static long long now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// start runs the program and waits for it.
static int start(char *program, char **argv)
{
	char *env[] = { NULL };
	int status;
	pid_t pid = vfork();
	if (!pid) {
		execve(program, argv, env);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static void spawn(int first, int step, int count, long long pace, char *program, const char *tag)
{
	long long next = now(CLOCK_MONOTONIC);
	for (int i = first; i < count && !shared->stop; i += step) {
		char arg[200];
		char *argv[] = { program, arg, NULL };
		snprintf(arg, sizeof arg, "%s-n%d", tag, i);
		long long from = now(CLOCK_REALTIME);
		if (!start(program, argv)) {
			perror("storm: start");
			_exit(1);
		}
		shared->run[i].from = from;
		shared->run[i].to = now(CLOCK_REALTIME);
		next += pace * 1000;
		struct timespec until = { next / 1000000000, next % 1000000000 };
		if (pace)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int spawners = atoi(argv[1]), count = atoi(argv[2]), status, bad = 0;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || count > most)
		return 1;
	for (int i = 0; i < spawners; i++)
		if (!fork())
			spawn(i, spawners, count ? count : most, atoll(argv[3]), argv[4], argv[5]);
	if (!count) {
		while (getchar() != EOF)
			;
		shared->stop = 1;
	}
	while (wait(&status) > 0)
		bad |= status;
	for (int i = 0; i < most; i++)
		if (shared->run[i].from)
			printf("%d %lld %lld\n", i, shared->run[i].from, shared->run[i].to);
	return bad != 0;
}
