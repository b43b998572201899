package main

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 22, 0, 30, 0, 0, zone)
	at := func(m time.Month, d, hour, minute, second int) time.Time {
		return time.Date(2026, m, d, hour, minute, second, 0, zone)
	}
	for text, want := range map[string]time.Time{
		"2026-11-01":                at(11, 1, 0, 0, 0),
		"2026-11-01T08:30":          at(11, 1, 8, 30, 0),
		"2026-11-01 08:30:15":       at(11, 1, 8, 30, 15),
		"2026-11-01T08:30:00Z":      at(11, 1, 9, 30, 0),
		"2026-11-01T08:30:00+02:00": at(11, 1, 7, 30, 0),
		"08:30":                     at(11, 22, 8, 30, 0),
		"08:30:01":                  at(11, 22, 8, 30, 1),
		"today":                     at(11, 22, 0, 0, 0),
		"Yesterday":                 at(11, 21, 0, 0, 0),
		"now":                       now,
		" now ":                     now,
		"now-7days":                 at(11, 15, 0, 30, 0),
		"now-1hour":                 at(11, 21, 23, 30, 0),
		"now+1h":                    at(11, 22, 1, 30, 0),
		"now-90":                    at(11, 22, 0, 28, 30),
		"now-2 weeks":               at(11, 8, 0, 30, 0),
	} {
		got, err := clock{now, zone}.moment(text)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q is %v (error %v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "gestern", "2026-13-01", "2026-02-30", "now-", "now-7moons", "now--7", "now7", "7", "25:00", "now-99999999weeks"} {
		if got, err := (clock{now, zone}).moment(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestLastSpan(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"1d":     time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		"30d":    time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC),
		"2w":     time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC),
		"24h":    now.Add(-24 * time.Hour),
		"90 min": now.Add(-90 * time.Minute),
		"365d":   time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC),
	} {
		got, err := lastSpan(now, text)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q began at %v (error %v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "0d", "1.5h", "3x", "1d2h", "99999999999d", "40000d"} {
		if got, err := lastSpan(now, text); err == nil {
			t.Errorf("%q began at %v, want an error", text, got)
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, s := range []string{"2026-11-22", "now-7days", "now+99999999w", "08:30", "", "now-", "today", "2026-11-22T08:30:00.5+14:00"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		at, err := clock{now, time.UTC}.moment(s)
		if err == nil && (at.Year() < -1 || at.Year() > 9999) {
			t.Errorf("%q is %v", s, at)
		}
		if since, err := lastSpan(now, s); err == nil && !since.Before(now) {
			t.Errorf("the last %q began at %v", s, since)
		}
	})
}
