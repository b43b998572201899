// Package integration tests the built programs from outside: procmond as root
// on a real kernel, jobs of a real Slurm, a real rsyslogd. What was started is
// compared with what the JSON lines and the index hold.
//
// It holds tests only and exports nothing. They need root and skip without;
// each starts daemons of its own in a temporary directory and leaves nothing
// behind.
package integration
