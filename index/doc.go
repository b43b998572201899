// Package index keeps program runs in a SQLite file: single runs for weeks,
// what they used by day for a year and more, and what was not seen.
//
// One Writer at a time writes a file; any number of Readers read it meanwhile
// and need no write access. Runs, the daily sums over them and the open runs
// change in one transaction, so that every table always agrees.
//
// Errors. Open and OpenReader wrap ErrNone, ErrNewer, ErrOlder, ErrDamaged,
// ErrForeign or ErrInUse, or the operating system's error, and say what to do. An error of
// Writer.Write means "not now": nothing of the batch was stored and the same
// batch can be given again. A *procmon.LostError means that some records can
// never be stored; the others are. Writing a record twice changes nothing.
//
// The package never asks the kernel about processes, never changes a file that
// it did not make, and never logs what users typed.
package index

import "errors"

// Why an index cannot be opened.
var (
	ErrNone    = errors.New("no index here")
	ErrNewer   = errors.New("the index was written by a newer procmon")
	ErrOlder   = errors.New("the index was written by an older procmon")
	ErrDamaged = errors.New("the index is damaged or no SQLite file")
	ErrForeign = errors.New("not an index of procmon")
	ErrInUse   = errors.New("another process writes this index")
)
