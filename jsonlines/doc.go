// Package jsonlines reads the JSON lines that procmond writes (schema ecs, as
// docs/json-lines.md tells it) back into records: from files, with or without a syslog
// header and cookie before each line.
//
// Lines are taken as hostile: whatever they hold, they cost memory in
// proportion to their length, which is bounded, and give a record with sane
// numbers or a LineError. An error of the underlying reader ends the reading.
//
// A line does not tell all that a record has. Its runs are named by wall clock:
// RunID.Exec is the start in nanoseconds since the epoch, for a run and its parent
// alike, and Process.Start is zero, so that EntityID gives other names than the line
// has. What is known of a job by better evidence than its environment has the evidence by which the process
// was found to be in the job.
package jsonlines
