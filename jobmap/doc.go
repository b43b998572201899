// Package jobmap says which batch job a process runs in, and what is known of
// that job.
//
// The two questions are kept apart. Which job it is, is decided by the best
// evidence there is, in this order: the anchored path of the process's cgroup,
// a root-owned ancestor that names a job (slurmstepd's title), the parent's
// job when that was found in one of these ways, and the environment, which its
// user can forge and which is marked so. A lower one never overrides a higher
// one; if it says something else, that is kept in Job.Conflict. What is known
// of the job is told field by field in Job.By: by the facts that the
// scheduler's prolog wrote as root (Registry), by the cgroup, by the
// environment.
//
// Mapper.Job returns no error: what can't be known stays empty. The Registry
// returns errors that wrap ErrUnsafe or ErrUnknownJob, or come from the file
// system; a file that can't be used is skipped and logged, never fatal.
//
// Each scheduler is one file and one entry of a table; a Pattern is a site's
// own path. Mapper.Explain tells all evidence that there is, and what became of
// each.
//
// The package reads no /proc/PID and no file of a user's, resolves no names,
// asks no scheduler, and writes only below the jobs directory, where it marks a
// job as summarised.
package jobmap
