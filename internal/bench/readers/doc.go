// Command readers measures what the process connector's readers cost as there
// are more of them, as on a node with that many CPUs: what each listening socket
// adds to an event in the program that causes it, and threads and memory of the
// daemon. It opens sockets that get no events, of CPUs that are not there, beside
// the real ones. "make bench" runs it.
package main
