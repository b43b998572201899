package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// tuneMemory keeps the heap near its live size, since memory is scarce on a
// compute node, but lets a small one gather some garbage before it is
// collected: a collection marks all that lives, however little was allocated.
// The returned function is called at the end.
func tuneMemory() (keep func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	debug.SetGCPercent(50)
	// The collector counts this as live; it is never touched, so it takes no memory.
	ballast := make([]byte, 4<<20)
	return func() { runtime.KeepAlive(ballast) }
}

// tuneThreads says how many threads run Go code at once.
func tuneThreads(source string) {
	if source == "bpf" {
		// What the kernel keeps can wait, and one thread handles 30,000 programs
		// a second. A second one is woken for a few at a time, and costs a fifth more.
		runtime.GOMAXPROCS(min(1+runtime.NumCPU()/32, 4))
		return
	}
	// A reader that comes back from waiting for an event must find room to run
	// at once, whatever the rest of the program does.
	runtime.GOMAXPROCS(runtime.NumCPU() + 4)
}
