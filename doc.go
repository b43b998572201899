// Package procmon holds the words that every part of procmon speaks: what a
// process was at the moment of an execve, the batch job and the application it
// was, what it cost, and what was not seen.
//
// It holds types and pure functions over them only. It reads no file, asks no
// kernel and no clock, and imports the standard library alone, so that sources,
// mappers and sinks can share it without knowing each other. Values handed from
// one stage to the next are never written to again, unless a field says who may.
package procmon
