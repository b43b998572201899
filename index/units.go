package index

import (
	"database/sql"
	"math"
	"time"

	"procmon"
)

const (
	secondsADay = 24 * 60 * 60
	microsADay  = secondsADay * 1_000_000
)

// dayOf is the UTC day of a time in µs since the epoch.
func dayOf(micros int64) int64 { return micros / microsADay }

// timeOf is the inverse of time.Time.UnixMicro; NULL is the zero time.
func timeOf(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}

// microsOf is t for a column: the zero time is NULL.
func microsOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// bytesOf fits a count of bytes into SQLite's signed integers.
func bytesOf(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// known is s for a column: an empty text is NULL.
func known(s string) any {
	if s == "" {
		return nil
	}
	return clean(s)
}

// rssOf is a maximum RSS for a column. Kernels count it in whole pages: so an
// exact one is even, and one less, an odd number, says that it is an upper
// bound. The greatest of several is then the right one, and its mark with it;
// of two equal ones the exact one. 0 is not known.
func rssOf(u *procmon.Usage) int64 {
	n := min(bytesOf(u.MaxRSS), math.MaxInt64-1)
	n += n & 1
	if u.RSSBound && n > 0 {
		n--
	}
	return n
}

// maxRSS is the inverse of rssOf.
func maxRSS(n int64) procmon.Usage { return procmon.Usage{MaxRSS: uint64(n + n&1), RSSBound: n&1 == 1} }
