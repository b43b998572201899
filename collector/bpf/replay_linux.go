package bpf

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringMemory is a ring as the kernel lets processes see it: the consumer's page,
// the producer's, and the data twice.
type ringMemory struct {
	pages []byte // consumer's
	rest  []byte // producer's page, then the data
	size  uint64
}

func mapRing(fd int, size uint64) (*ringMemory, error) {
	page := os.Getpagesize()
	pages, err := unix.Mmap(fd, 0, page, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map ring: %w", err)
	}
	rest, err := unix.Mmap(fd, int64(page), page+2*int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(pages)
		return nil, fmt.Errorf("map ring: %w", err)
	}
	return &ringMemory{pages, rest, size}, nil
}

func (m *ringMemory) close() {
	_, _ = unix.Munmap(m.pages), unix.Munmap(m.rest)
}

func position(page []byte) uint64 { return atomic.LoadUint64((*uint64)(unsafe.Pointer(&page[0]))) }

func (m *ringMemory) consumer() uint64 { return position(m.pages) }
func (m *ringMemory) producer() uint64 { return position(m.rest) }
func (m *ringMemory) data() []byte     { return m.rest[os.Getpagesize():] }

// placeEvery is how much of the ring lies between two places, as a part of it.
const placeEvery = 32

// notePlace keeps where the reader is, when it has come far enough since the
// last time.
func (s *Source) notePlace() {
	at := counter(s.ring.consumer).Load()
	if at-s.place < s.ring.size()/placeEvery {
		return
	}
	s.place = at
	slot := uint32(at/(s.ring.size()/placeEvery)) % s.progs.Places.MaxEntries()
	if err := s.progs.Places.Put(slot, at); err != nil {
		s.cfg.Logger.Error("a place in the ring can't be noted", "error", err)
	}
}

// replay gives again the executions that an earlier daemon read, as far as the
// ring still holds them and their runs are in the books.
func (s *Source) replay(emit func(*execution)) {
	places := make([]uint64, 0, s.progs.Places.MaxEntries())
	for slot := range s.progs.Places.MaxEntries() {
		var at uint64
		if s.progs.Places.Lookup(slot, &at) == nil {
			places = append(places, at)
		}
	}
	memory, err := mapRing(s.progs.Ring.FD(), s.ring.size())
	if err != nil {
		s.cfg.Logger.Error("what an earlier daemon read can't be read again", "error", err)
		return
	}
	defer memory.close()
	consumer := memory.consumer()
	from := oldest(places, consumer, memory.producer(), memory.size)
	s.place = consumer
	walkRing(memory.data(), memory.size, from, consumer, func(at uint64, record []byte) bool {
		head, _, ok := take[captureHead](record)
		if !ok || head.Kind != kindExec {
			return ok
		}
		var r captureRun
		if s.progs.Runs.Lookup(&head.Run, &r) != nil {
			return true // recorded, and forgotten
		}
		b := bytes.Clone(record)
		if memory.producer()-at > memory.size {
			return true // written over meanwhile
		}
		if x, err := s.decoder.exec(b); err == nil {
			emit(x)
		}
		return true
	})
}
