package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketUser(t *testing.T) {
	const four = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:223D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:223D 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:223D 01 00000000:00000000 00:00000000 00000000  1234        0 3 1 0 20 4 30 10 -1
   3: 0100007F:D432 0100007F:223D 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0
`
	const six = `head
   0: 00000000000000000000000001000000:D431 00000000000000000000000001000000:223D 01 0:0 0:0 0  77 0 1
   1: 0000000000000000FFFF00000100007F:D433 0000000000000000FFFF00000100007F:223D 01 0:0 0:0 0  78 0 1
`
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		t.Skip("the tables are a little-endian machine's")
	}
	for _, c := range []struct {
		table, theirs string
		uid           uint32
		known         bool
	}{
		{four, "127.0.0.1:54321", 1234, true},
		{four, "127.0.0.1:54322", 0, false}, // closed: nobody's any more
		{four, "127.0.0.1:54323", 0, false},
		{six, "[::1]:54321", 77, true},
		{six, "127.0.0.1:54323", 78, true},
		{"x\n1: zz:1 a:b 01\n: : :\n", "127.0.0.1:1", 0, false},
	} {
		ours := netip.MustParseAddrPort("127.0.0.1:8765")
		if strings.HasPrefix(c.theirs, "[") {
			ours = netip.MustParseAddrPort("[::1]:8765")
		}
		uid, known := socketUser(strings.NewReader(c.table), netip.MustParseAddrPort(c.theirs), ours)
		if uid != c.uid || known != c.known {
			t.Errorf("%s: %d %v", c.theirs, uid, known)
		}
	}
}

// The kernel tells of this very program.
func TestPeer(t *testing.T) {
	for _, address := range []string{"tcp 127.0.0.1:0", "tcp [::1]:0", "unix " + filepath.Join(t.TempDir(), "s")} {
		network, at, _ := strings.Cut(address, " ")
		l, err := net.Listen(network, at)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		defer l.Close()
		client, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if uid, known := peer(conn); !known || uid != uint32(os.Getuid()) {
			t.Errorf("%s: %d %v", address, uid, known)
		}
	}
}
