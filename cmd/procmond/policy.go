package main

import (
	"slices"

	"procmon"
	"procmon/appmap"
	"procmon/collector/procfs"
	"procmon/jobmap"
)

// records says whose runs are recorded: outside jobs those of people, inside
// them everybody's, but never those of users left out everywhere. Nothing is
// known of a process that vanished; its loss is counted.
func (s *Settings) records(p *procmon.Process, job *procmon.Job) bool {
	if p.UID == procmon.NoUID || slices.Contains(s.ExcludeUIDs, p.UID) {
		return false
	}
	return !job.None() || p.UID >= uint32(s.MinUID)
}

// person says whether a user's programs are recorded even outside jobs.
func (s *Settings) person(uid uint32) bool {
	return uid >= uint32(s.MinUID) && uid != procmon.NoUID && !slices.Contains(s.ExcludeUIDs, uid)
}

// envFilter keeps the variables that the mappers want.
func envFilter() *procfs.EnvFilter {
	return procfs.NewEnvFilter(append(slices.Clone(jobmap.Env), appmap.Env...)...)
}
