// Package collector is the pipeline: events of a source become live runs, runs
// are given their job and application, and every sink gets its records.
//
//	Source ─▶ queue ─▶ Live (+ JobMapper) ─▶ naming (Identifier) ─▶ a queue for each Sink
//
// It declares the few small interfaces that it uses and imports none of their
// implementations. Live is pure: no clock, no I/O. Nothing is dropped without
// being counted: what finds no room becomes a procmon.Loss that goes to the
// sinks like any other record. Run ends with an error only when the source
// does; a sink that fails is asked again until it takes its records, or until
// its bounded queue is full.
package collector
