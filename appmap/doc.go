// Package appmap says which application, and which version of it, a program
// run was.
//
// It reads the answer from where it is written: package metadata that lists
// the file, the shape of the install tree, the module whose tree holds the
// file, and for what is left a catalogue of executable names (TOML files,
// embedded, extended by the site). Each answer carries the evidence it rests
// on. What no evidence names stays unknown: a wrong name is worse than none,
// and a version that is written nowhere is left empty.
//
// New fails when a rule file is wrong, with an error that wraps ErrCatalog
// and tells file and line. Identify never fails: whatever can't be read is
// evidence that is missing. All text in a process and every file below the
// trees that users own is taken as hostile: reads are bounded, only regular
// files are opened, symbolic links lead to no place outside the tree, and
// nothing is ever executed. Identify reads files and may wait for them, so it
// belongs off the hot path.
package appmap
