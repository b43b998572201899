package procconn

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// stats makes the message of one thread's end, from its generic netlink header
// on, padding attribute included, as the kernel sends it.
func stats(version uint16, tgid uint32, last bool, cpu, user, system, rssKiB uint64) []byte {
	ne := binary.NativeEndian
	s := make([]byte, 416)
	ne.PutUint16(s, version)
	if last {
		s[offFlag] = flagLast
	}
	ne.PutUint64(s[offCPUVirtual:], cpu)
	ne.PutUint64(s[offUser:], user)
	ne.PutUint64(s[offSystem:], system)
	ne.PutUint64(s[offRSS:], rssKiB)
	ne.PutUint64(s[offRead:], 4096)
	ne.PutUint64(s[offWrite:], 512)
	ne.PutUint32(s[offTGID:], tgid)
	ne.PutUint64(s[offTGElapsed:], 2500)
	inner := attr(nil, attrPID, []byte{1, 0, 0, 0})
	inner = attr(inner, 6, nil) // TASKSTATS_TYPE_NULL, for alignment
	inner = attr(inner, attrStats, s)
	return attr([]byte{2, 1, 0, 0}, attrAggrPID, inner)
}

func attr(b []byte, kind uint16, data []byte) []byte {
	ne := binary.NativeEndian
	b = ne.AppendUint16(b, uint16(4+len(data)))
	b = ne.AppendUint16(b, kind)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestParseTaskstats(t *testing.T) {
	got, ok, old := parseTaskstats(stats(16, 10, true, 5e6, 3000, 1000, 2048))
	want := taskExit{TGID: 10, Last: true, Elapsed: 2500 * time.Microsecond, Used: procmon.Counters{
		CPU: 5 * time.Millisecond, User: 3 * time.Millisecond, System: time.Millisecond, Read: 4096, Write: 512, MaxRSS: 2 << 20,
	}}
	if diff := cmp.Diff(want, got); !ok || old || diff != "" {
		t.Errorf("ok %v, old %v (-want +got):\n%s", ok, old, diff)
	}
}

func TestParseTaskstatsOfOldKernels(t *testing.T) {
	if _, ok, old := parseTaskstats(stats(10, 10, true, 1, 1, 1, 1)); ok || !old {
		t.Errorf("version 10: ok %v, old %v", ok, old)
	}
}

func FuzzParseTaskstats(f *testing.F) {
	f.Add(stats(16, 10, true, 5e6, 3000, 1000, 2048))
	f.Add(stats(16, 10, false, 1, 1, 1, 1)[:100])
	f.Add([]byte{2, 1, 0, 0, 4, 0, 4, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok, _ := parseTaskstats(b)
		if ok && (x.TGID <= 0 || x.Elapsed < 0 || x.Used.CPU < 0 || x.Used.User < 0 || x.Used.System < 0) {
			t.Errorf("%+v", x)
		}
	})
}

func TestGroupsAddThreads(t *testing.T) {
	var g groups
	end := func(tgid int32, last bool, cpu time.Duration, rss uint64) (procmon.Counters, bool) {
		used, done, _ := g.add(taskExit{TGID: tgid, Last: last, Used: procmon.Counters{CPU: cpu, MaxRSS: rss}})
		return used, done
	}
	if _, done := end(10, false, 3, 50); done {
		t.Error("done with threads left")
	}
	if used, done := end(20, true, 1, 9); !done || used.CPU != 1 || used.MaxRSS != 9 {
		t.Errorf("a process of one thread: %+v, %v", used, done)
	}
	end(10, false, 4, 70)
	if used, done := end(10, true, 5, 60); !done || used.CPU != 12 || used.MaxRSS != 70 {
		t.Errorf("a process of three threads: %+v, %v", used, done)
	}
	if len(g.sums) != 0 {
		t.Errorf("%d sums are left", len(g.sums))
	}
}

func TestGroupsAreBounded(t *testing.T) {
	var g groups
	overflows := 0
	for i := range maxGroups + 10 {
		if _, _, overflow := g.add(taskExit{TGID: int32(i + 1)}); overflow {
			overflows++
		}
	}
	if overflows != 1 || len(g.sums) > maxGroups {
		t.Errorf("%d overflows, %d sums", overflows, len(g.sums))
	}
}
