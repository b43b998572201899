// Package procfs reads processes from /proc: one at once, whole, at the moment
// of its execve, and all of them, to find what is alive.
//
// Reading is apart from parsing. Reader copies the files of one process,
// through one directory descriptor, into a Raw and looks at nothing but what is
// to be kept; it is C, for threads that must not wait for Go's scheduler. The
// parsers are pure functions over bytes that users control, and take any bytes
// without a panic. A process that is gone gives ErrGone, whichever of ENOENT
// and ESRCH the kernel said; a part that can't be read gives no error but is
// named in Process.Missing.
//
// The package never follows a user's path, never writes, and keeps no more of
// an environment than the variables that it was asked for.
package procfs
