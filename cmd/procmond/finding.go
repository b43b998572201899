package main

// finding is what one check found.
type finding struct {
	what string
	err  error  // nil: it is as it should be
	fix  string // what to do about it
	warn bool   // procmon works without it, less well
}
