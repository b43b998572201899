package procconn

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestRingRefusesWhatHasNoRoom(t *testing.T) {
	r := newRing(4096)
	if r.reserve(5000) != nil {
		t.Error("a record larger than the ring found room")
	}
	n := 0
	for {
		b := r.reserve(1000)
		if b == nil {
			break
		}
		b[0] = byte(n)
		r.commit(1000)
		n++
	}
	if n != 4 {
		t.Fatalf("%d records of 1,008 bytes in 4,096", n)
	}
	for i := range n {
		b := r.next()
		if len(b) != 1000 || b[0] != byte(i) {
			t.Fatalf("record %d: %d bytes, %d", i, len(b), b[0])
		}
		r.release(len(b))
	}
	if r.next() != nil {
		t.Error("a record after the last")
	}
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
	r := newRing(1 << 14)
	const n = 50000
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = 8 + rnd.IntN(3000)
	}
	go func() {
		for i := 0; i < n; {
			b := r.reserve(sizes[i])
			if b == nil {
				runtime.Gosched()
				continue
			}
			binary.LittleEndian.PutUint64(b, uint64(i))
			fill(b[8:], byte(i))
			r.commit(sizes[i])
			i++
		}
	}()
	want := make([]byte, 3000)
	for i := 0; i < n; {
		b := r.next()
		if b == nil {
			runtime.Gosched()
			continue
		}
		fill(want, byte(i))
		if len(b) != sizes[i] || binary.LittleEndian.Uint64(b) != uint64(i) || !bytes.Equal(b[8:], want[:len(b)-8]) {
			t.Fatalf("record %d is not what was put in: %d bytes of %d, number %d", i, len(b), sizes[i], binary.LittleEndian.Uint64(b))
		}
		r.release(len(b))
		i++
	}
}

func fill(b []byte, c byte) {
	for i := range b {
		b[i] = c
	}
}

func TestRecordTravels(t *testing.T) {
	want := record{kind: recordExit, pid: 10, parent: -1, wait: 1 << 31, time: 1 << 63, read: 7}
	b := make([]byte, recordSize+3)
	want.encode(b)
	got, rest := decodeRecord(b)
	if got != want || len(rest) != 3 {
		t.Errorf("got %+v and %d bytes, want %+v and 3", got, len(rest), want)
	}
}

func BenchmarkRing(b *testing.B) {
	r := newRing(1 << 20)
	for b.Loop() {
		r.reserve(3000)
		r.commit(3000)
		r.release(len(r.next()))
	}
}
