package procfs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const ioText = "rchar: 323934931\nwchar: 323929600\nsyscr: 632687\nsyscw: 632675\nread_bytes: 4096\nwrite_bytes: 323932160\ncancelled_write_bytes: 7\n"

func TestParseIO(t *testing.T) {
	read, write, err := ParseIO([]byte(ioText))
	if read != 4096 || write != 323932160 || err != nil {
		t.Errorf("%d, %d, %v", read, write, err)
	}
	for _, text := range []string{
		"", "read_bytes: 1\nwrite_bytes: 2\n", "rchar: 1\nread_bytes: 1\ncancelled_write_bytes: 7\n", "rchar: 1\nread_bytes: x\nwrite_bytes: 2\n",
		"rchar: 1\nread_bytes: 1\nwrite_bytes: 184467440737095516150\n", "rchar: 1\nread_bytes: \nwrite_bytes: 2\n",
	} {
		if read, write, err := ParseIO([]byte(text)); !errors.Is(err, ErrFormat) || read != 0 || write != 0 {
			t.Errorf("%q: %d, %d, %v; want %v", text, read, write, err, ErrFormat)
		}
	}
}

func TestParseMaxRSS(t *testing.T) {
	for text, want := range map[string]uint64{
		"Name:\tgmx\nVmPeak:\t  9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1000 kB\n": 1234 << 10,
		"Name:\tVmHWM:\\t1 kB\nVmHWM:\t       0 kB\n":                             0,
		"Name:\tgmx\nState:\tZ (zombie)\n":                                        0,
		"Name:\tx\nVmHWM:\t12 MB\n":                                               0,
		"Name:\tx\nVmHWM:\t12 kB":                                                 0, // cut
		"Name:\tx\nVmHWM:\t-12 kB\n":                                              0,
		"Name:\tx\nVmHWM:\t99999999999999999 kB\n":                                0,
		"": 0,
	} {
		if got := ParseMaxRSS([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func FuzzParseSpent(f *testing.F) {
	f.Add([]byte("7 (x) R"+strings.Repeat(" 1", 30)), []byte(ioText), []byte(statusText))
	f.Add([]byte("7 (a) b) S 1 1 1 0 -1 64 0 0 0 0 5 6 0 0 20 0 1 0 77 0"), []byte("rchar: 1\nread_bytes: 1\nwrite_bytes: 2\n"), []byte("Name:\tx\nVmHWM:\t12 kB\n"))
	f.Fuzz(func(t *testing.T, stat, io, status []byte) {
		s, err := parseSpent(stat, io, status)
		if err == nil && s.Used.CPU != s.Used.User+s.Used.System {
			t.Errorf("%+v", s)
		}
	})
}

func TestUsageOf(t *testing.T) {
	const first, child = 10, 11
	id := func(pid int32) procmon.ProcessID { return procmon.ProcessID{PID: pid, Start: 500} }
	spent := func(pid int32, seconds int, noExec bool) Spent {
		d := time.Duration(seconds) * time.Second
		return Spent{ID: id(pid), NoExec: noExec, Used: procmon.Counters{CPU: 3 * d, User: 2 * d, System: d, Read: uint64(seconds) * 100, Write: uint64(seconds), MaxRSS: uint64(seconds) << 20}}
	}
	used := func(seconds int) procmon.Usage {
		d := time.Duration(seconds) * time.Second
		return procmon.Usage{User: 2 * d, System: d, Read: uint64(seconds) * 100, Write: uint64(seconds), MaxRSS: uint64(seconds) << 20}
	}
	none := procmon.Usage{}
	rss := func(u procmon.Usage, seconds int) procmon.Usage { u.MaxRSS = uint64(seconds) << 20; return u }
	other := spent(first, 9, false)
	other.ID.Start = 900
	for _, test := range []struct {
		name   string
		booked procmon.Usage
		since  procmon.Counters // of the first process
		found  []Spent
		want   procmon.Usage
	}{
		{"one process", none, procmon.Counters{}, []Spent{spent(first, 5, false)}, used(5)},
		{"since its execve", none, spent(first, 2, false).Used, []Spent{spent(first, 5, false)}, rss(used(3), 5)},
		{"with its child", none, procmon.Counters{}, []Spent{spent(first, 5, false), spent(child, 7, true)}, rss(used(12), 7)},
		{"a child that has exec'ed", none, procmon.Counters{}, []Spent{spent(first, 5, false), spent(child, 7, false)}, used(5)},
		{"with what is booked", used(4), procmon.Counters{}, []Spent{spent(first, 5, false)}, rss(used(9), 5)},
		{"all gone", used(4), procmon.Counters{}, nil, used(4)},
		{"all gone, nothing booked", none, procmon.Counters{}, nil, none},
		{"another process of that pid", none, procmon.Counters{}, []Spent{other}, none},
		{"counters that go back", none, spent(first, 6, false).Used, []Spent{spent(first, 5, false)}, rss(used(0), 5)},
		{"idle", none, procmon.Counters{}, []Spent{spent(first, 0, false)}, used(0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := procmon.LiveRun{
				Run:   procmon.Run{Process: &procmon.Process{Run: procmon.RunID{Process: id(first)}}},
				Owned: []procmon.Owned{{ID: id(first), Since: test.since}, {ID: id(child)}},
			}
			run.Booked = test.booked
			got := usageOf(&run, func(pid int32) (Spent, error) {
				for _, s := range test.found {
					if s.ID.PID == pid {
						return s, nil
					}
				}
				return Spent{}, ErrGone
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if run.Booked != test.booked {
				t.Error("what is booked was changed")
			}
		})
	}
}
