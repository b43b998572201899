// Command procmond records every program that users start on this node, says
// which batch job and which application it was, and hands that to syslog and to
// an index. This package only wires: settings in, concrete types together,
// errors to exit codes.
package main
