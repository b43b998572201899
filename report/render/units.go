package render

import (
	"fmt"
	"strconv"
	"time"
)

// seconds shows a duration with the unit that people would choose.
func seconds(s float64) string {
	switch {
	case s == 0:
		return "0 s"
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", max(1, s*1000))
	case s < 59.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 59.95*60:
		return fmt.Sprintf("%.1f min", s/60)
	default:
		return fmt.Sprintf("%.1f h", s/3600)
	}
}

// share shows a part of the whole.
func share(part float64) string {
	if part > 0 && part < 0.0005 {
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", part*100)
}

// change shows a difference of durations.
func change(s float64) string {
	switch {
	case s > 0:
		return "+" + seconds(s)
	case s < 0:
		return "-" + seconds(-s)
	}
	return "0 s"
}

// byteSize shows a size with a binary unit.
func byteSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	for value >= 1023.95 && unit < len(binary) {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, binary[unit-1])
}

const binary = "KMGTPE"

// number is a count with its noun.
func number(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// minute shows a moment to the minute; the zone is told once, elsewhere.
func minute(t time.Time, loc *time.Location) string { return t.In(loc).Format("2006-01-02 15:04") }

// second shows a moment to the second.
func second(t time.Time, loc *time.Location) string { return t.In(loc).Format("2006-01-02 15:04:05") }
