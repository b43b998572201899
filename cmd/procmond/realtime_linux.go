package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// schedule says how the threads of this process that are not readers run. What
// readers put into their rings must be taken out in time however busy the node
// is: a nice value of -20 sees to that and, other than SCHED_FIFO for all ("all"),
// can't keep a CPU from anybody. Threads that come later inherit.
func schedule(realtime string) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Nice: -20}
	switch realtime {
	case "all":
		attr = unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	case "off":
		return nil
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetAttr(tid, &attr, 0); err != nil {
			return fmt.Errorf("procconn.realtime = %s: %w", realtime, err)
		}
	}
	return nil
}
