package index

import "procmon"

// runFlag is what t_run.flags holds; the views of the schema read them too.
type runFlag int64

const (
	flagOpen          runFlag = 1 << iota // it goes on, as far as is recorded
	flagAdopted                           // found alive
	flagUnknown                           // ended while nobody looked
	flagCut                               // the command line is not whole
	flagStepUnproved                      // the step rests on the environment alone
	flagTaskUnproved                      // the task rests on the environment alone
	flagProvisional                       // not reaped in time
	flagTold                              // t_told has what it needs of it
	flagEvidenceShift = 8                 // procmon.Evidence of being in the job, three bits
)

func flagsOf(r *procmon.Run, open, cut bool) runFlag {
	f := runFlag(r.Job.Evidence&7)<<flagEvidenceShift | flagTold
	for _, b := range []struct {
		on   bool
		flag runFlag
	}{
		{open, flagOpen},
		{r.Adopted, flagAdopted},
		{r.Unknown, flagUnknown},
		{cut, flagCut},
		{r.Job.By[procmon.JobStep] == procmon.EvidenceEnviron, flagStepUnproved},
		{r.Job.By[procmon.JobTask] == procmon.EvidenceEnviron, flagTaskUnproved},
	} {
		if b.on {
			f |= b.flag
		}
	}
	return f
}
