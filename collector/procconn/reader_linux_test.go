package procconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// fakeReader is a reader whose socket is one end of a pair.
func fakeReader(t *testing.T, maxArgs int) (r *reader, kernel int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(unix.Close(pair[0]), unix.Close(pair[1])) })
	cfg := Config{Proc: "/proc", Env: procfs.NewEnvFilter("PATH"), MaxArgs: maxArgs, Logger: slog.New(slog.DiscardHandler)}
	r, err = makeReader(place{cpu: -1}, pair[0], &cfg, ringSize(&cfg, 1))
	if err != nil {
		t.Fatal(err)
	}
	return r, pair[1]
}

func send(t *testing.T, fd int, message []byte) {
	t.Helper()
	if _, err := unix.Write(fd, message); err != nil {
		t.Fatal(err)
	}
}

func TestReaderReadsWhatExecs(t *testing.T) {
	r, kernel := fakeReader(t, 4096)
	begin(t, r)
	me := uint32(os.Getpid())
	send(t, kernel, raw(whatFork, 1, 41, 4, 4, 10, 10))
	send(t, kernel, raw(whatExec, 1, 42, me, me))
	send(t, kernel, []byte("short"))
	send(t, kernel, raw(whatExec, 1, 43, 4194303, 4194303))
	send(t, kernel, raw(whatExit, 1, 44, 10, 10, 9, 17))
	if rec := await(t, r); rec.kind != recordEvent || rec.message.What != whatFork || rec.message.Parent != 4 {
		t.Errorf("fork: %+v", rec)
	}
	rec := await(t, r)
	got, err := procfs.DecodeRaw(rec.process)
	if err != nil || rec.kind != recordExec || rec.message.Time != 42 || rec.read == 0 {
		t.Fatalf("exec: %+v, %v", rec, err)
	}
	p := procfs.NewParser().Process(&got)
	if want := strings.Join(os.Args, "\x00") + "\x00"; string(p.Args) != want || p.Missing != 0 || p.UID != uint32(os.Getuid()) {
		t.Errorf("args %q, want %q; missing %v, uid %d", p.Args, want, p.Missing.Names(), p.UID)
	}
	if rec := await(t, r); rec.kind != recordGone || rec.message.PID != 4194303 {
		t.Errorf("of a process that is not there: %+v", rec)
	}
	if rec := await(t, r); rec.message.What != whatExit || rec.message.Wait != 9 {
		t.Errorf("exit: %+v", rec)
	}
	if gone, since := shared64(&r.c.gone).Load(), shared64(&r.c.since).Load(); gone != 1 || since != 43 {
		t.Errorf("%d gone since %d, want 1 since 43", gone, since)
	}
	if r.handled() != 44 {
		t.Errorf("handled up to %d", r.handled())
	}
}

// TestReaderCountsWhatHasNoRoom fills a ring that nobody empties: what was put in
// stays whole, the rest is counted, and there is room again behind it.
func TestReaderCountsWhatHasNoRoom(t *testing.T) {
	r, kernel := fakeReader(t, 64)
	begin(t, r)
	const n = 3000
	for i := range uint64(n) {
		send(t, kernel, raw(whatExit, 0, i, 10, 10, uint32(i), 17))
	}
	for deadline := time.Now().Add(10 * time.Second); r.handled() != n-1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d handled", r.handled())
		}
		time.Sleep(time.Millisecond) // the ring has no bell without a pump
	}
	full := shared64(&r.c.full).Load()
	for i := range n - full {
		if rec := await(t, r); rec.message.Time != i || rec.message.Wait != uint32(i) {
			t.Fatalf("record %d: %+v", i, rec)
		}
	}
	if since := shared64(&r.c.since).Load(); full == 0 || since != n-full {
		t.Errorf("%d found no room, the first was of %d", full, since)
	}
	const burst = 100 // and round and round
	for i := uint64(n); i < 50*burst; i += burst {
		for j := range uint64(burst) {
			send(t, kernel, raw(whatExit, 0, i+j, 10, 10, 0, 17))
		}
		for j := range uint64(burst) {
			if rec := await(t, r); rec.message.Time != i+j {
				t.Fatalf("record %d: %+v", i+j, rec)
			}
		}
	}
}

// TestRingHoldsTheLongestRecord: the longest arguments that are kept fit, however
// many readers share the memory.
func TestRingHoldsTheLongestRecord(t *testing.T) {
	cfg := Config{MaxArgs: 32 << 10, RingBytes: 1 << 20}
	for _, readers := range []int{1, 256} {
		if size := ringSize(&cfg, readers); size < 2*(procfs.MaxRaw(cfg.MaxArgs)+recordSize+recordHeader) || size%8 != 0 {
			t.Errorf("%d readers: rings of %d bytes", readers, size)
		}
	}
}

// FuzzReader sends anything where the kernel's messages come from.
func FuzzReader(f *testing.F) {
	f.Add(raw(whatFork, 1, 41, 4, 4, 10, 10))
	f.Add(raw(whatExec, 1, 42, 1, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, kernel := fakeReader(t, 4096)
		begin(t, r)
		send(t, kernel, b[:min(len(b), 200)])
		send(t, kernel, raw(whatExit, 0, 1<<40, 10, 10, 9, 17))
		for {
			for r.ring.next() == nil {
				time.Sleep(time.Millisecond)
			}
			record := bytes.Clone(r.ring.next())
			r.ring.release(len(record))
			_, _ = decodeRecord(record)
			if recordTime(record) == 1<<40 && binary.NativeEndian.Uint32(record[recordMessage+offWhat:]) == whatExit {
				return
			}
		}
	})
}

// TestLossesSayWhen: what vanished is told from the kernel's time of the first on,
// which may be long before the pump looked.
func TestLossesSayWhen(t *testing.T) {
	r, kernel := fakeReader(t, 64)
	s := &Source{readers: []*reader{r}, toldAt: time.Now(), ancestry: procfs.NewAncestry(nil)}
	r.told.at = time.Now()
	begin(t, r)
	ago := uint64(s.clock.Monotonic()) - 7e9
	send(t, kernel, raw(whatExec, 0, ago, 4194303, 4194303))
	await(t, r)
	var told []procmon.Loss
	now := time.Now()
	for range 2 {
		s.tellLosses(now, func(e *procmon.Event) { told = append(told, *e.Loss) })
	}
	if len(told) != 1 || told[0].Count != 1 || told[0].Reason != procmon.LossVanished {
		t.Fatalf("%+v", told)
	}
	if gap := now.Sub(told[0].From); gap < 6900*time.Millisecond || gap > 8*time.Second {
		t.Errorf("from %v before now, want 7 s", gap)
	}
}
