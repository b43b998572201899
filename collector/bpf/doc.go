// Package bpf is a source over eBPF programs at the kernel's scheduler
// tracepoints. They copy what a process is at the moment of its execve, so
// nothing is read too late, and keep the books of every run in the kernel:
// what its processes use, and when the last one is gone. Programs, ring and
// books are pinned: they go on while no daemon runs.
//
// Open fails with ErrUnavailable where the kernel can't load the programs.
// Nothing here writes to user memory, and nothing is told of users who are left
// out: their events end in the kernel.
package bpf

//go:generate go tool bpf2go -go-package bpf -target bpfel -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type run_id -type run -type exec_record -type head -type over -type over_record -type ancestor -type live -type count -type counters capture program/capture.bpf.c
//go:generate sh -c "sha256sum program/* capture_bpfel.go capture_bpfel.o > program.sum"
