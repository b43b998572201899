package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// errValue says that a setting can't have such a value.
var errValue = errors.New("bad value")

// duration is a time in the forms of time.ParseDuration, and in days: "30d".
type duration time.Duration

func (d *duration) String() string {
	if v := time.Duration(*d); v >= day && v%day == 0 {
		return strconv.FormatInt(int64(v/day), 10) + "d"
	}
	s := time.Duration(*d).String()
	for _, zero := range []string{"m0s", "h0m"} { // 1h, not 1h0m0s
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func (d *duration) Set(v string) error {
	if n, ok := strings.CutSuffix(v, "d"); ok {
		days, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return fmt.Errorf("%w %q: want days such as 30d", errValue, v)
		}
		*d = duration(time.Duration(days) * day)
		return nil
	}
	parsed, err := time.ParseDuration(v)
	if v == "0" {
		parsed, err = 0, nil
	}
	if err != nil || parsed < 0 {
		return fmt.Errorf("%w %q: want a time such as 10s, 15m, 12h or 30d", errValue, v)
	}
	*d = duration(parsed)
	return nil
}

// size is a number of bytes, with KiB, MiB or GiB if wanted.
type size int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (s *size) String() string {
	for _, u := range units {
		if n := int64(*s); n >= u.bytes && n%u.bytes == 0 && u.bytes > 1 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *size) Set(v string) error {
	number, unit := v, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(v, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(number, "_", ""), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%w %q: want bytes such as 65536, 64KiB, 512MiB or 2GiB", errValue, v)
	}
	*s = size(n * unit)
	return nil
}

// number is a user id.
type number uint32

func (n *number) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *number) Set(v string) error {
	u, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return fmt.Errorf("%w %q: want a user id such as 1000", errValue, v)
	}
	*n = number(u)
	return nil
}

// uids is a list of user ids.
type uids []uint32

func (u *uids) String() string {
	parts := make([]string, len(*u))
	for i, uid := range *u {
		parts[i] = strconv.FormatUint(uint64(uid), 10)
	}
	return strings.Join(parts, ",")
}

func (u *uids) Set(v string) error {
	var list uids
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return fmt.Errorf("%w %q: want user ids such as 0,994", errValue, v)
		}
		list = append(list, uint32(n))
	}
	*u = list
	return nil
}

// boolean is true or false.
type boolean bool

func (b *boolean) String() string { return strconv.FormatBool(bool(*b)) }

func (b *boolean) Set(v string) error {
	switch v {
	case "true":
		*b = true
	case "false":
		*b = false
	default:
		return fmt.Errorf("%w %q: want true or false", errValue, v)
	}
	return nil
}

// IsBoolFlag lets the flag stand without a value.
func (b *boolean) IsBoolFlag() bool { return true }

type textValue struct {
	field *string
	known []string // empty: any
}

func text(field *string) flag.Value { return &textValue{field: field} }

func oneOf(field *string, known ...string) flag.Value { return &textValue{field, known} }

func (t *textValue) String() string {
	if t.field == nil {
		return ""
	}
	return *t.field
}

func (t *textValue) Set(v string) error {
	if len(t.known) == 0 {
		*t.field = v
		return nil
	}
	for _, k := range t.known {
		if v == k {
			*t.field = v
			return nil
		}
	}
	return fmt.Errorf("%w %q: want one of %s", errValue, v, strings.Join(t.known, ", "))
}

// uidMin reads UID_MIN, the first user id of people, from login.defs(5); 1000
// where it is not said.
func uidMin(path string) uint32 {
	const usual = 1000
	b, err := os.ReadFile(path)
	if err != nil {
		return usual
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "UID_MIN" {
			if n, err := strconv.ParseUint(f[1], 10, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return usual
}
