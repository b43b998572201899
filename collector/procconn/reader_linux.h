// The loop of one reader. It runs on a thread that Go's scheduler knows nothing
// of: a goroutine would have to wait for the runtime when it comes back from a
// system call, for half a millisecond during a garbage collection, and a program
// that is gone by then is gone for good.
#ifndef PROCMON_PROCCONN_READER_H
#define PROCMON_PROCCONN_READER_H

#include <stddef.h>
#include <stdint.h>

struct procfs_reader;

enum {
	PROCCONN_MESSAGE = 76, // bytes of a message, with all its headers
	PROCCONN_BATCH = 64,   // messages taken at once
	PROCCONN_ROOM = 128,   // bytes for each
};

// What a record tells.
enum {
	PROCCONN_EVENT = 1, // a message
	PROCCONN_EXEC,      // a message of an execve, and the process as it was read
	PROCCONN_GONE,      // a message of an execve whose process could not be read
};

// procconn_record is a message; a struct procfs_raw follows if it was read.
struct procconn_record {
	uint32_t kind;
	uint32_t unused;
	uint64_t read; // CLOCK_MONOTONIC when the process was read
	char message[PROCCONN_MESSAGE];
	char reserved[4];
};

// procconn_ring carries records to the pump without a lock: the reader runs in
// real time and must never wait for a thread that does not. A record lies in one
// piece behind its size; one that does not fit is refused. A size of all ones
// says that the rest up to the end of the buffer is empty.
struct procconn_ring {
	char *buf;
	uint64_t length;                              // a multiple of 8, twice the longest record at least
	_Alignas(64) uint64_t head;                   // written by the reader: bytes ever put, padding included
	_Alignas(64) uint64_t tail;                   // written by the pump: bytes ever taken
};

// procconn_reader is one reader. Its fields are set before it starts.
struct procconn_reader {
	int fd;   // the socket
	int stop; // readable when the loop is to end
	int bell; // eventfd that wakes the pump
	uint32_t *sleeping; // the pump sleeps: ring the bell
	struct procfs_reader *proc;
	int (*read)(struct procfs_reader *, int32_t pid);
	struct procconn_ring ring;

	// What the pump may look at.
	_Alignas(64) uint64_t handled; // time of the last event that is in the ring
	uint64_t gone;                 // execs whose process could not be read
	uint64_t full;                 // records that the ring had no room for
	uint64_t foreign;              // messages that the kernel did not send
	uint64_t overrun;              // times that the socket's buffer overflowed
	uint64_t since;                // time of the first event that was lost since the pump has set this to 0
	uint64_t reading;              // when the read that goes on began, CLOCK_MONOTONIC; 0: none
	uint32_t thread;               // its id, 0: not begun
	uint32_t idle;                 // waiting for an event
	uint32_t failure;              // errno that ended the loop
	uint32_t abandoned;            // set by the pump: another reader has the socket, end when the read returns
	uint32_t ended;                // the loop has returned
};

// procconn_start starts the loop on a thread of its own, on the given CPU (-1:
// any) and, if realtime, under SCHED_FIFO. It gives an errno if there is no
// thread; placed is one if the thread is not where it should be.
int procconn_start(struct procconn_reader *r, int cpu, int realtime, int *placed);

#endif
