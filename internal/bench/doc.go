// Command bench measures what tools that record programs see of a storm of
// short programs, and what that costs: each tool, one after the other, against
// no tool, in the same workloads, by an unprivileged user, inside the cgroup of
// a Slurm job. procmond is measured whole: mapping, JSON lines to a rsyslogd of
// its own, and index. Every program of a storm has an argument of its own, so
// what a tool tells of each is compared with what was started, one by one. It
// is not installed; "make bench" and "make bench-capture" run it.
package main
