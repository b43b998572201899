package bpf

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writtenRing is a ring that a test writes as the kernel would.
type writtenRing struct {
	ring
	at uint64
}

func newWrittenRing(size int) *writtenRing {
	f := &writtenRing{ring: ring{consumer: make([]byte, os.Getpagesize()), producer: make([]byte, os.Getpagesize()+size)}}
	f.data = f.producer[os.Getpagesize():]
	return f
}

func (f *writtenRing) put(text string, flags uint32) {
	size := uint64(len(f.data))
	binary.LittleEndian.PutUint32(f.data[f.at%size:], uint32(len(text))|flags)
	for i := range len(text) {
		f.data[(f.at+ringHeader+uint64(i))%size] = text[i]
	}
	f.at += ringHeader + (uint64(len(text))+7)/8*8
	counter(f.producer).Store(f.at)
}

func (f *writtenRing) all() (texts []string) {
	f.each(func(b []byte) { texts = append(texts, string(b)) })
	return texts
}

func TestRingGivesRecordsThatGoOverItsEnd(t *testing.T) {
	f := newWrittenRing(64)
	for i := range 100 {
		want := []string{fmt.Sprintf("record %d that is long", i), "b"}
		f.put(want[0], 0)
		f.put("dropped"[:i%8], ringDiscard)
		f.put(want[1], 0)
		if diff := cmp.Diff(want, f.all()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestRingWaitsForARecordBeingWritten(t *testing.T) {
	f := newWrittenRing(64)
	f.put("a", 0)
	at := f.at
	f.put("b", ringBusy)
	f.put("c", 0)
	if diff := cmp.Diff([]string{"a"}, f.all()); diff != "" {
		t.Fatal(diff)
	}
	binary.LittleEndian.PutUint32(f.data[at:], 1)
	if diff := cmp.Diff([]string{"b", "c"}, f.all()); diff != "" {
		t.Fatal(diff)
	}
}
