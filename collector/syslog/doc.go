// Package syslog is a sink that writes one JSON line a record: to the local
// syslog socket, to a remote syslog server by UDP, TCP or TLS, to a file, or to
// standard output.
//
// A line is valid UTF-8 JSON without a line feed in it, whatever the user
// typed, and no message is longer than Options.MaxBytes: arguments are cut from
// the end, and the line says by how many bytes. What is not known is absent.
//
// While the receiver refuses, lines go to a bounded spool on disk, and a line is
// taken off it only after it was sent. Delivery is at least once: after a
// reconnect the last lines are sent again, because a receiver that dies takes
// what it had not read with it and nobody is told. Event ids stay the same.
//
// Errors: Open wraps ErrAddress and ErrOption for what the user must correct.
// Write gives a *procmon.LostError for what is lost for good, and any other
// error when the whole batch should be tried again.
//
// The package never looks at a process, a clock of its own or the network
// beyond the one address, never waits for ever on a receiver that stands still,
// and never decides what is worth recording.
package syslog
