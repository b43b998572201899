// Command bench measures what procmond sees of a storm of short programs, and
// what that costs: 20,000 times /bin/true by an unprivileged user, 16 at once,
// inside the cgroup of a Slurm job, with the whole daemon behind it (mapping,
// JSON lines and index). It is not installed; "make bench" runs it.
package main
