package main

import (
	"procmon"
	"procmon/collector/procfs"
)

// readProcess reads a live process, and those above it that are alive, the
// nearest first.
func readProcess(pid int32, maxArgs int) (p *procmon.Process, above []*procmon.Process, err error) {
	boot, err := procfs.BootID("/proc")
	if err != nil {
		return nil, nil, err
	}
	census, err := procfs.NewCensus("/proc", boot, envFilter(), maxArgs)
	if err != nil {
		return nil, nil, err
	}
	defer census.Close()
	if p, err = census.Explain(pid); err != nil {
		return nil, nil, err
	}
	for i := range p.Ancestors {
		a, err := census.Explain(p.Ancestors[i].ID.PID)
		if err != nil || !a.Run.Process.Same(p.Ancestors[i].ID) {
			break // it is gone: what it was started by can't be known
		}
		above = append(above, a)
	}
	return p, above, nil
}
