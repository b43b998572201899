package procconn

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// testRing is a ring with both ends in Go; the reader's end is C otherwise
// (TestReader… put it to the test).
type testRing struct{ ring }

func newTestRing(size int) *testRing {
	return &testRing{ring{buf: make([]byte, size), head: new(atomic.Uint64), tail: new(atomic.Uint64)}}
}

// put puts a record in as ring_put of reader_linux.c does.
func (r *testRing) put(b []byte) bool {
	ne := binary.NativeEndian
	need, head, length := uint64(align(recordHeader+len(b))), r.head.Load(), uint64(len(r.buf))
	room, at := length-(head-r.tail.Load()), head%length
	if rest := length - at; rest < need {
		if room < rest+need {
			return false
		}
		ne.PutUint32(r.buf[at:], wrap)
		head, at = head+rest, 0
	} else if room < need {
		return false
	}
	ne.PutUint32(r.buf[at:], uint32(len(b)))
	copy(r.buf[at+recordHeader:], b)
	r.head.Store(head + need)
	return true
}

// TestRingCarriesEverything: one writes, one reads, and every record that found
// room comes out whole and in its turn.
func TestRingCarriesEverything(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("PROCMON_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("PROCMON_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := newTestRing(16 * 1000) // not a power of two
	const n = 50000
	records := make([][]byte, n)
	for i := range records {
		records[i] = bytes.Repeat([]byte{byte(i)}, 8+rnd.IntN(3000))
	}
	go func() {
		for i := 0; i < n; {
			if r.put(records[i]) {
				i++
			} else {
				runtime.Gosched()
			}
		}
	}()
	for i := 0; i < n; {
		b := r.next()
		if b == nil {
			runtime.Gosched()
			continue
		}
		if !bytes.Equal(b, records[i]) {
			t.Fatalf("record %d is not what was put in: %d bytes of %d", i, len(b), len(records[i]))
		}
		r.release(len(b))
		i++
	}
}

// encodeRecord makes a record as the reader does.
func encodeRecord(kind recordKind, message []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(kind))
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint64(b, 7)
	b = append(b, message...)
	return append(b, make([]byte, recordSize-len(b))...)
}

func TestDecodeRecord(t *testing.T) {
	b := append(encodeRecord(recordExec, raw(whatExec, 3, 42, 10, 10)), "process"...)
	got, err := decodeRecord(b)
	want := message{What: whatExec, CPU: 3, Time: 42, PID: 10, Thread: 10}
	if err != nil || got.kind != recordExec || got.message != want || got.read != 7 || string(got.process) != "process" || recordTime(b) != 42 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, b := range map[string][]byte{"short": b[:recordSize-1], "no message": make([]byte, recordSize)} {
		if _, err := decodeRecord(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMergeGivesTheOldestFirst puts records into many rings and more behind them
// when merge has begun: those wait for the next time.
func TestMergeGivesTheOldestFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	rings := make([]*testRing, 37)
	for i := range rings {
		rings[i] = newTestRing(1 << 16)
	}
	var m merge
	for round := range 3 {
		const n = 1000
		for i := range n { // in each ring the times ascend
			if !rings[rnd.IntN(len(rings))].put(encodeRecord(recordEvent, raw(whatExec, 0, uint64(round*n+i), 10, 10))) {
				t.Fatal("no room")
			}
		}
		m.begin()
		for _, r := range rings {
			m.add(&r.ring)
		}
		m.order()
		rings[0].put(encodeRecord(recordEvent, raw(whatExec, 0, uint64((round+1)*n), 10, 10)))
		extra := min(round, 1) // the late one of the round before
		for i := range n + extra {
			ring, b := m.next()
			if want := uint64(round*n + max(0, i-extra)); ring == nil || recordTime(b) != want {
				t.Fatalf("round %d, record %d: time %d, want %d", round, i, recordTime(b), want)
			}
			ring.release(len(b))
		}
		if ring, _ := m.next(); ring != nil {
			t.Fatal("one more than was there")
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			rings := make([]*testRing, n)
			for i := range rings {
				rings[i] = newTestRing(1 << 12)
			}
			var m merge
			record, i := encodeRecord(recordEvent, raw(whatExec, 0, 1, 10, 10)), 0
			for b.Loop() {
				if i%n == 0 { // a drain of one record from each
					m.begin()
					for _, r := range rings {
						r.put(record)
						m.add(&r.ring)
					}
					m.order()
				}
				ring, b := m.next()
				ring.release(len(b))
				i++
			}
		})
	}
}
