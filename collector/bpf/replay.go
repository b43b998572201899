package bpf

import "encoding/binary"

// A ring's memory keeps records that were read until others are written over
// them. A daemon that was killed had read records and not told them: the next
// one reads these again.

// walkRing gives the records between two positions of a ring of that size, with
// the position of each. Data is the ring's memory, mapped twice in a row, so
// that no record has a break (kernel/bpf/ringbuf.c). It ends at the first record
// that makes no sense.
func walkRing(data []byte, size, from, to uint64, f func(at uint64, record []byte) (more bool)) {
	const header, busy, discard = 8, 1 << 31, 1 << 30
	for from < to {
		off := from & (size - 1)
		n := binary.LittleEndian.Uint32(data[off:])
		length := uint64(n &^ (busy | discard))
		if n&busy != 0 || length > size-header || off+header+length > uint64(len(data)) {
			return
		}
		if n&discard == 0 && !f(from, data[off+header:off+header+length]) {
			return
		}
		from += (header + length + 7) &^ 7
	}
}

// oldest is the first of the places from which on the ring is whole: not more
// than its size before the producer's position, and not behind the consumer's.
func oldest(places []uint64, consumer, producer, size uint64) uint64 {
	if producer <= size {
		return 0
	}
	first := consumer
	for _, p := range places {
		if p != 0 && p <= consumer && producer-p <= size && p < first {
			first = p
		}
	}
	return first
}
