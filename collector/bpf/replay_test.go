package bpf

import (
	"encoding/binary"
	"slices"
	"testing"
)

// fakeRing is a ring's memory with records written over its end.
type fakeRing struct {
	size     uint64
	data     []byte // twice
	producer uint64
}

func newFakeRing(size uint64) *fakeRing { return &fakeRing{size: size, data: make([]byte, 2*size)} }

func (r *fakeRing) write(flags uint32, record []byte) {
	b := append(binary.LittleEndian.AppendUint32(nil, uint32(len(record))|flags), 0, 0, 0, 0)
	b = append(b, record...)
	for i, c := range b {
		at := (r.producer + uint64(i)) % r.size
		r.data[at], r.data[at+r.size] = c, c
	}
	r.producer += (uint64(len(b)) + 7) &^ 7
}

func TestWalkRing(t *testing.T) {
	r := newFakeRing(64)
	var from uint64
	for i := range 9 { // 16 bytes each: it goes round twice
		if i == 5 {
			from = r.producer
		}
		flags := uint32(0)
		if i == 6 {
			flags = 1 << 30 // discarded
		}
		r.write(flags, []byte{byte(i), 0, 0})
	}
	var got []byte
	walkRing(r.data, r.size, from, r.producer, func(_ uint64, record []byte) bool {
		got = append(got, record[0])
		return true
	})
	if !slices.Equal(got, []byte{5, 7, 8}) {
		t.Errorf("%v", got)
	}
}

func TestWalkRingEndsAtNonsense(t *testing.T) {
	for name, header := range map[string]uint32{"too long": 1 << 20, "not committed": 1 << 31} {
		r := newFakeRing(64)
		r.write(0, []byte{1})
		binary.LittleEndian.PutUint32(r.data[r.producer:], header)
		n := 0
		walkRing(r.data, r.size, 0, r.producer+16, func(uint64, []byte) bool { n++; return true })
		if n != 1 {
			t.Errorf("%s: %d records", name, n)
		}
	}
}

func TestOldestPlace(t *testing.T) {
	for _, c := range []struct {
		name                     string
		places                   []uint64
		consumer, producer, want uint64
	}{
		{"all is there since the beginning", []uint64{40}, 50, 64, 0},
		{"the first that is not written over", []uint64{40, 120, 90, 70}, 130, 150, 90},
		{"none", []uint64{10, 0}, 130, 150, 130},
		{"none that was not read", []uint64{140}, 130, 150, 130},
	} {
		if got := oldest(c.places, c.consumer, c.producer, 64); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzWalkRing(f *testing.F) {
	f.Add(make([]byte, 128), uint64(0), uint64(64))
	f.Fuzz(func(_ *testing.T, data []byte, from, to uint64) {
		if len(data) < 128 || to-from > 1<<20 {
			return
		}
		walkRing(data[:128], 64, from&^7, to, func(uint64, []byte) bool { return true })
	})
}
