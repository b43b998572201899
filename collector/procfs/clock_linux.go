package procfs

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
)

// Clock relates the clocks of the kernel to the time of day. Its zero value
// asks the machine.
type Clock struct{}

// Now reads CLOCK_BOOTTIME.
func (Clock) Now() procmon.BootNS { return clock(unix.CLOCK_BOOTTIME) }

// Monotonic reads CLOCK_MONOTONIC, in its own time.
func (Clock) Monotonic() procmon.BootNS { return clock(unix.CLOCK_MONOTONIC) }

// SinceMonotonic is what to add to a reading of CLOCK_MONOTONIC, which stamps
// the process connector's events, to have CLOCK_BOOTTIME: the time that the
// machine was suspended.
func (Clock) SinceMonotonic() procmon.BootNS {
	mono := clock(unix.CLOCK_MONOTONIC)
	return clock(unix.CLOCK_BOOTTIME) - mono
}

// Wall is the time of day of a moment since boot, by what the clock shows now.
func (c Clock) Wall(at procmon.BootNS) time.Time {
	now, wall := c.Now(), time.Now()
	return wall.Add(time.Duration(int64(at) - int64(now))).Round(0) // Round drops Go's own monotonic reading
}

func clock(id int32) procmon.BootNS {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // EINVAL for an unknown clock only: both are older than any kernel that runs this
	}
	return procmon.BootNS(ts.Nano())
}

// BootID reads the id of this boot below the /proc mounted at root.
func BootID(root string) (string, error) {
	b, err := os.ReadFile(root + "/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
