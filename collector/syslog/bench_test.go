package syslog

import (
	"context"
	"net"
	"path/filepath"
	"testing"
)

// BenchmarkWrite is the cost of a line on its way: encoded, framed and handed
// over, in batches of 100.
func BenchmarkWrite(b *testing.B) {
	dir, records := b.TempDir(), numberedBatch(0, 100)
	socket := filepath.Join(dir, "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	r := &receiver{}
	discard(r, c)
	b.Cleanup(r.stop)
	for name, o := range map[string]Options{
		"file":  {Address: "file:" + filepath.Join(dir, "lines")},
		"unix":  {Address: "unix:" + socket},
		"spool": {Address: "unix:" + filepath.Join(dir, "nobody"), Spool: filepath.Join(dir, "spool"), SpoolMax: 1 << 40},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(context.Background(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.ReportAllocs()
			lines := 0
			for b.Loop() {
				if err := s.Write(context.Background(), records); err != nil {
					b.Fatal(err)
				}
				lines += len(records)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
		})
	}
}

// discard reads datagrams and forgets them.
func discard(r *receiver, c net.PacketConn) {
	r.wg.Add(1)
	r.conns = append(r.conns, c)
	go func() {
		defer r.wg.Done()
		buf := make([]byte, maxLine)
		for {
			if _, _, err := c.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
}
