// Package procconn is a collector source over the kernel's process connector
// (drivers/connector/cn_proc.c): the kernel multicasts a message on netlink for
// every fork, execve and exit, and what the message does not say is read from
// /proc at once, while the process still waits in its execve.
//
// One reader is pinned to each CPU and sees that CPU's events only. With
// SCHED_FIFO it runs on the CPU of the execve before the new program's first
// instruction, which is why it finds the process whole. Readers are threads in C
// (reader_linux.c), which Go's scheduler can't hold up; they copy bytes into a
// ring each and do nothing else. One pump behind them parses and hands on.
// Counters of ended processes come from taskstats (generic netlink).
//
// What a reader can't see is a Loss with its reason: the socket's buffer or a
// ring was full, or the process was gone before it was read. ENOBUFS never ends
// a reader. Messages that the kernel did not send are dropped and counted.
// The package never changes a process, and needs CAP_NET_ADMIN to listen,
// CAP_SYS_PTRACE to read, and CAP_SYS_NICE for SCHED_FIFO.
package procconn
