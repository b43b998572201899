package main

import (
	"fmt"
	"strings"
)

// options say what to measure.
type options struct {
	daemon   string
	execs    int
	spawners int
	uid      int
	program  string
	realtime string
	keep     bool
}

// spawnerName is how the spawners' own runs are told from the storm's.
const spawnerName = "procmon-spawner"

// jobID is the job of the storm's cgroup.
const jobID = "424242"

// argument is long enough to show a cut.
func argument(i int) string {
	return fmt.Sprintf("--run=%07d-%s", i, strings.Repeat("x", 40))
}
