#define _GNU_SOURCE
#include "reader_linux.h"
#include "../procfs/read_linux.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#define STORE(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define ADD(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)

_Static_assert(sizeof(struct procconn_record) % 8 == 0, "records stay aligned");
_Static_assert(offsetof(struct procconn_record, message) == 16, "record.go has it so");

static uint64_t monotonic(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const uint32_t wrapped = ~0u;

// ring_put puts a record and what belongs to it, if there is room.
static int ring_put(struct procconn_ring *ring, const struct procconn_record *rec, const void *rest, size_t n)
{
	uint32_t size = sizeof *rec + n;
	uint64_t need = (8 + (uint64_t)size + 7) & ~7ull;
	uint64_t head = ring->head, room = ring->length - (head - LOAD(&ring->tail));
	uint64_t at = head % ring->length, end = ring->length - at;
	if (end < need) {
		if (room < end + need)
			return 0;
		memcpy(ring->buf + at, &wrapped, sizeof wrapped);
		head += end;
		at = 0;
	} else if (room < need) {
		return 0;
	}
	memcpy(ring->buf + at, &size, sizeof size);
	memcpy(ring->buf + at + 8, rec, sizeof *rec);
	if (n > 0)
		memcpy(ring->buf + at + 8 + sizeof *rec, rest, n);
	STORE(&ring->head, head + need);
	return 1;
}

// lost notes the time of the first loss before it is counted.
static void lost(struct procconn_reader *r, uint64_t *counter, uint64_t at)
{
	uint64_t none = 0;
	__atomic_compare_exchange_n(&r->since, &none, at, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	ADD(counter, 1);
}

static void put(struct procconn_reader *r, const struct procconn_record *rec, const void *rest, size_t n, uint64_t at)
{
	if (!ring_put(&r->ring, rec, rest, n))
		lost(r, &r->full, at);
	STORE(&r->handled, at);
}

// read_process reads the process at once: it may be gone in 50 µs.
static void read_process(struct procconn_reader *r, struct procconn_record *rec, int32_t pid, uint64_t at)
{
	STORE(&r->reading, monotonic());
	int failed = r->read(r->proc, pid);
	STORE(&r->reading, 0);
	rec->read = monotonic();
	if (failed) {
		rec->kind = PROCCONN_GONE;
		lost(r, &r->gone, at);
		put(r, rec, NULL, 0, at);
		return;
	}
	rec->kind = PROCCONN_EXEC;
	put(r, rec, r->proc->raw, sizeof *r->proc->raw + r->proc->length, at);
}

// handle takes one message. The kernel's port is 0; a process may send to a
// multicast group, too, but not under that.
static void handle(struct procconn_reader *r, const char *b, size_t n, uint32_t port)
{
	if (port != 0) {
		ADD(&r->foreign, 1);
		return;
	}
	if (n < PROCCONN_MESSAGE)
		return; // an answer to listen
	struct proc_event e;
	memcpy(&e, b + sizeof(struct nlmsghdr) + sizeof(struct cn_msg), PROCCONN_MESSAGE - sizeof(struct nlmsghdr) - sizeof(struct cn_msg));
	struct procconn_record rec = {.kind = PROCCONN_EVENT};
	memcpy(rec.message, b, PROCCONN_MESSAGE);
	if ((uint32_t)e.what == 2 && e.event_data.exec.process_pid == e.event_data.exec.process_tgid) // PROC_EVENT_EXEC
		read_process(r, &rec, e.event_data.exec.process_tgid, e.timestamp_ns);
	else
		put(r, &rec, NULL, 0, e.timestamp_ns);
}

// ring_bell wakes the pump; that costs a system call only while it sleeps.
static void ring_bell(struct procconn_reader *r)
{
	uint32_t sleeps = 1;
	if (LOAD(r->sleeping) && __atomic_compare_exchange_n(r->sleeping, &sleeps, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		uint64_t one = 1;
		while (write(r->bell, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
}

// breathe lets others have the CPU for a little while when the reader has not
// waited for long: a kernel may be told not to limit what runs under SCHED_FIFO.
static void breathe(uint64_t *busy_since)
{
	const uint64_t now = monotonic(), most = 950000000;
	if (*busy_since == 0)
		*busy_since = now;
	if (now - *busy_since < most)
		return;
	const struct timespec pause = {.tv_nsec = 50000000};
	nanosleep(&pause, NULL);
	*busy_since = 0;
}

static void *loop(void *arg)
{
	struct procconn_reader *r = arg;
	char bytes[PROCCONN_BATCH][PROCCONN_ROOM];
	struct sockaddr_nl from[PROCCONN_BATCH];
	struct iovec vectors[PROCCONN_BATCH];
	struct mmsghdr messages[PROCCONN_BATCH];
	memset(from, 0, sizeof from);
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < PROCCONN_BATCH; i++) {
		vectors[i] = (struct iovec){.iov_base = bytes[i], .iov_len = PROCCONN_ROOM};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	struct pollfd fds[2] = {{.fd = r->fd, .events = POLLIN}, {.fd = r->stop, .events = POLLIN}};
	uint64_t busy_since = 0;
	STORE(&r->thread, (uint32_t)syscall(SYS_gettid));
	while (!LOAD(&r->abandoned)) {
		for (int i = 0; i < PROCCONN_BATCH; i++)
			messages[i].msg_hdr.msg_namelen = sizeof from[i];
		int n = recvmmsg(r->fd, messages, PROCCONN_BATCH, MSG_DONTWAIT, NULL);
		if (n >= 0) {
			for (int i = 0; i < n; i++)
				handle(r, bytes[i], messages[i].msg_len, from[i].nl_pid);
			ring_bell(r);
			breathe(&busy_since);
		} else if (errno == EAGAIN) {
			busy_since = 0;
			STORE(&r->idle, 1);
			poll(fds, 2, -1);
			STORE(&r->idle, 0);
			if (fds[1].revents)
				break;
		} else if (errno == ENOBUFS) {
			ADD(&r->overrun, 1);
			ring_bell(r);
		} else if (errno != EINTR) {
			STORE(&r->failure, errno);
			ring_bell(r);
			break;
		}
	}
	STORE(&r->ended, 1);
	return NULL;
}

static int place(pthread_t thread, int cpu, int realtime)
{
	int err = 0, err2 = 0;
	if (cpu >= 0) {
		cpu_set_t *set = CPU_ALLOC(cpu + 1);
		size_t size = CPU_ALLOC_SIZE(cpu + 1);
		if (set == NULL)
			return ENOMEM;
		CPU_ZERO_S(size, set);
		CPU_SET_S(cpu, size, set);
		err = pthread_setaffinity_np(thread, size, set);
		CPU_FREE(set);
	}
	if (realtime) {
		struct sched_param param = {.sched_priority = 1};
		err2 = pthread_setschedparam(thread, SCHED_FIFO, &param);
	}
	return err ? err : err2;
}

int procconn_start(struct procconn_reader *r, int cpu, int realtime, int *placed)
{
	pthread_t thread;
	pthread_attr_t attr;
	sigset_t all, before;
	int err = pthread_attr_init(&attr);
	if (err)
		return err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 << 10);
	sigfillset(&all); // signals are for Go's threads
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, loop, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		*placed = place(thread, cpu, realtime);
	return err;
}
