package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth is the width of a terminal in columns, 0 for anything else.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	if size.Col == 0 { // a terminal that does not know, such as a serial line
		return 80
	}
	return int(size.Col)
}
