package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clock reads times as people write them.
type clock struct {
	now  time.Time
	zone *time.Location
}

// layouts are the absolute times, those of sacct(1) among them.
var layouts = []string{
	"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05",
}

// moment reads a time: a date or a time of day in the zone, RFC 3339, today,
// yesterday, now, and now-7days or now+1hour as sacct(1) takes them.
func (c clock) moment(s string) (time.Time, error) {
	text := strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, c.zone); err == nil {
			return t, nil
		}
	}
	y, m, d := c.now.In(c.zone).Date()
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, c.zone), nil
		}
	}
	switch word := strings.ToLower(text); {
	case word == "today", word == "midnight":
		return time.Date(y, m, d, 0, 0, 0, 0, c.zone), nil
	case word == "yesterday":
		return time.Date(y, m, d-1, 0, 0, 0, 0, c.zone), nil
	case word == "now":
		return c.now, nil
	case strings.HasPrefix(word, "now-"), strings.HasPrefix(word, "now+"):
		span, _, err := duration(word[len("now-"):])
		if err != nil {
			return time.Time{}, err
		}
		if word[3] == '-' {
			span = -span
		}
		return c.now.Add(span), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-22, 2026-11-22T08:30, 08:30, today, yesterday or now-7days", s)
}

// units of a duration. Whole days are counted as days, not as 24 hours.
var units = []struct {
	names string
	size  time.Duration
	days  bool
}{
	{"s sec secs second seconds", time.Second, false},
	{"m min mins minute minutes", time.Minute, false},
	{"h hour hours", time.Hour, false},
	{"d day days", 24 * time.Hour, true},
	{"w week weeks", 7 * 24 * time.Hour, true},
}

const longest = 100 * 366 * 24 * time.Hour

// duration reads a whole number and a unit; without one it is seconds, as for
// sacct(1).
func duration(s string) (span time.Duration, days bool, err error) {
	text := strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 {
		return 0, false, fmt.Errorf("%q is no duration: write 30d, 12h or 2w", s)
	}
	name := strings.TrimSpace(text[len(digits):])
	if name == "" {
		name = "s"
	}
	for _, u := range units {
		for _, known := range strings.Fields(u.names) {
			if name != known {
				continue
			}
			if time.Duration(n) > longest/u.size {
				return 0, false, fmt.Errorf("%q is more than a hundred years", s)
			}
			return time.Duration(n) * u.size, u.days, nil
		}
	}
	return 0, false, fmt.Errorf("%q is no duration: the units are s, m, h, d and w", s)
}
