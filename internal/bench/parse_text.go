package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// readExecsnoop takes the lines of bpftrace's execsnoop.bt, of which the last
// column is the command line; the header tells how many come before.
func readExecsnoop(r io.Reader, c *counter) error {
	c.SaysLost = true
	before := -1
	s := lines(r)
	for s.Scan() {
		f := strings.Fields(s.Text())
		switch {
		case len(f) == 3 && f[0] == "Lost" && f[2] == "events":
			n, _ := strconv.Atoi(f[1])
			c.Lost += n
		case before < 0:
			before = slices.Index(f, "ARGS")
		case len(f) > before && before > 0:
			c.add(told{id: f[1], line: strings.Join(f[before:], " ")})
		}
	}
	return s.Err()
}

// readForkstat takes the lines of forkstat -x -e exec: time, event, pid, uid,
// euid, terminal and command line.
func readForkstat(r io.Reader, c *counter) error {
	s := lines(r)
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) > 6 && f[1] == "exec" {
			c.add(told{id: f[2], uid: f[3], line: strings.Join(f[6:], " ")})
		}
	}
	return s.Err()
}

// hearsConnector looks in /proc/net/netlink for a socket of the process
// connector (NETLINK_CONNECTOR is 11) that belongs to a process and is in a group.
func hearsConnector(text string, pid int) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line) // address, protocol, port id, groups …
		if len(f) > 3 && f[1] == "11" && f[2] == strconv.Itoa(pid) && strings.Trim(f[3], "0") != "" {
			return true
		}
	}
	return false
}
