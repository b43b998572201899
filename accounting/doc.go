// Package accounting reads what schedulers keep of jobs: the output of Slurm's
// sacct -P, the file of its jobcomp/filetxt plugin, and the accounting files of
// OpenPBS and Torque. It makes the same of all of them, procmon.Accounted.
//
// Users choose job names, working directories and more of what stands in these
// files, and no format but that of PBS quotes them. A line that can be read in two
// ways is bad. See Options.Delimiter for names with line breaks.
//
// Errors: ErrFormat for a file of none of these formats; *LineError for one
// bad line, after which reading goes on; any other error is the reader's own.
//
// The package reads only what it is given, and never asks a scheduler or the
// system's users and hosts.
package accounting
