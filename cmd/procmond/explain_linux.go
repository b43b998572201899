package main

import (
	"procmon"
	"procmon/collector/procfs"
)

// readProcess reads a live process and its ancestors.
func readProcess(pid int32, maxArgs int) (*procmon.Process, error) {
	boot, err := procfs.BootID("/proc")
	if err != nil {
		return nil, err
	}
	census, err := procfs.NewCensus("/proc", boot, envFilter(), maxArgs)
	if err != nil {
		return nil, err
	}
	defer census.Close()
	return census.Explain(pid)
}
