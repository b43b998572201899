package procmon

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of event.
const (
	EventExec   EventKind = iota + 1 // Process is set
	EventFork                        // Proc was forked from Parent and shares its image until it execs
	EventExit                        // Proc ended; Wait is known, counters are not yet
	EventFinal                       // counters of Proc are final: Used is set
	EventLost                        // Loss is set
	EventMark                        // Reader has handed on everything before Time
	EventFound                       // Process was found alive at Time, by a census
	EventCensus                      // a census is complete: what it did not find is gone
	EventExited                      // all processes of Run have exited; EventOver follows when they are reaped, or soon
	EventOver                        // Run is over: Usage and Wait are final, or those at its exit
	EventUntold                      // the source had no room to tell something: what is alive is to be found out anew
)

// Event is what a source hands on. Events of one reader come in the order of
// their times; those of different readers need not.
type Event struct {
	Kind    EventKind
	Reader  int    // which of the source's readers, from 0
	Time    BootNS // when the kernel made it
	Proc    ProcessID
	Parent  ProcessID // EventFork
	Wait    uint32    // EventExit: as wait(2) has it
	Used    Counters  // EventFinal: over the whole life of Proc
	UID     uint32    // EventFinal: real user id
	Process *Process  // EventExec, EventFound; the source does not write to it again
	Loss    *Loss     // EventLost

	// Of sources that keep the books of runs themselves.
	Run   RunID              // EventExited, EventOver
	Over  *Over              // EventOver
	Books map[RunID]struct{} // EventCensus: the runs that are not over; nil: the source keeps no books
	Asked BootNS             // EventCensus: when Books were asked for; what is over since may be in them or not
}

// Over is what the books of a run say at its end.
type Over struct {
	Usage       Usage
	Ended       BootNS   // when its last process exited or exec'ed
	Wait        uint32   // as wait(2) has it, when Waited
	Waited      bool     // Wait is known: the run's first process ended and did not exec
	Provisional bool     // the usage is as of its processes' exits
	Untold      bool     // there was no room to tell its execve, on CPU
	CPU         int      // where it began, -1: not known
	Process     *Process // what is known of it without its execve; nil: nothing
}
